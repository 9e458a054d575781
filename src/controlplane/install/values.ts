import { VERSION } from "../../base/index.ts";
import { defaultValues, type InjectionValues } from "../injection/index.ts";

/** What an installation can decide. Everything has a default. */
export interface InstallValues {
  /** Tag of Chainmail's images. */
  version: string;
  /** Where the images are, without a slash at the end. */
  hub: string;
  namespace: string;
  revision: string;
  /** How many istiods there are; of several one leads. */
  replicas: number;
  trustDomain: string;
  clusterDomain: string;
  /** Top-level fields of the mesh config, laid over the ones written here. */
  meshConfig: Record<string, unknown>;
  /** Whose data plane runs in gateways and sidecars. */
  proxy: "chainmail" | "envoy";
  /** The demo profile's second gateway; a proxy more that few need. */
  egressGateway: boolean;
  /** Values of injection that differ from the defaults. */
  injection: Partial<InjectionValues>;
}

export function installValues(values: Partial<InstallValues> = {}): InstallValues {
  return {
    version: VERSION,
    hub: "chainmail",
    namespace: "istio-system",
    revision: "default",
    replicas: 1,
    trustDomain: "cluster.local",
    clusterDomain: "cluster.local",
    meshConfig: {},
    proxy: "chainmail",
    egressGateway: false,
    injection: {},
    ...values,
  };
}

/** The values that the injection webhook reads from its ConfigMap. */
export function injectionValues(values: InstallValues): InjectionValues {
  const defaults = defaultValues();
  return {
    ...defaults,
    revision: values.revision,
    ...values.injection,
    global: {
      ...defaults.global,
      ...values.injection.global,
      hub: values.hub,
      tag: values.version,
      istioNamespace: values.namespace,
      proxy: { ...defaults.global.proxy, clusterDomain: values.clusterDomain, ...values.injection.global?.proxy },
    },
  };
}

/** What stands behind the names of a revision's own objects: nothing for the default one. */
export function revisionSuffix({ revision }: InstallValues): string {
  return revision === "default" ? "" : `-${revision}`;
}
