import type { Pod } from "../../resources/index.ts";
import type { ConfigIndex } from "../registry/config-index.ts";
import type { MeshConfig, ProxyConfigSpec } from "../registry/mesh-config.ts";
import { annotation } from "./annotations.ts";
import type { CustomTemplates } from "./custom-templates.ts";
import { effectiveProxyConfig } from "./proxy-config.ts";
import type { InjectionValues } from "./values.ts";
import { workloadOf, type Workload } from "./workload.ts";

/** What the installation and the mesh know when a pod comes along. */
export interface InjectionContext {
  values: InjectionValues;
  mesh: MeshConfig;
  proxyConfigs: ConfigIndex["ProxyConfig"];
  /** Kubernetes from 1.33 on restarts init containers that are sidecars; before, the proxy is an ordinary container. */
  nativeSidecars: boolean;
  /** Of the installation's own. */
  templates?: CustomTemplates;
  /** From the webhook's path, for clusters whose control plane runs elsewhere. */
  cluster?: string;
  network?: string;
}

/** All decisions about one pod, before anything is written. */
export interface SidecarSettings {
  pod: Pod;
  namespace: string;
  workload: Workload;
  values: InjectionValues;
  mesh: MeshConfig;
  config: ProxyConfigSpec & { imageType?: string };
  /** `gateway` makes the pod's own container istio-proxy (image `auto`) a gateway instead of adding a sidecar. */
  template: Template;
  native: boolean;
  /** Whether the proxy is to be a native sidecar where the template allows it. */
  nativeWanted: boolean;
  hold: boolean;
  interception: string;
  statusPort: number;
  image: string;
  clusterId: string;
  network: string;
  /** Names of the pod's containers but the proxy's. */
  appContainers: string[];
}

export const TEMPLATES = ["sidecar", "gateway"] as const;
export type Template = (typeof TEMPLATES)[number];

export const PROXY_CONTAINER = "istio-proxy";
export const INIT_CONTAINER = "istio-init";

export function settingsFor(pod: Pod, namespace: string, context: InjectionContext, template: Template = "sidecar"): SidecarSettings {
  const { values, mesh } = context;
  const config = effectiveProxyConfig(pod, namespace, mesh, context.proxyConfigs);
  const nativeWanted = annotation(pod, "sidecar.istio.io/nativeSidecar", String(context.nativeSidecars)).toLowerCase() === "true";
  const native = template === "sidecar" && nativeWanted;
  return {
    pod,
    namespace,
    workload: workloadOf(pod, namespace),
    values,
    mesh,
    config,
    template,
    native,
    nativeWanted,
    hold: template === "sidecar" && !native && (config.holdApplicationUntilProxyStarts ?? values.global.proxy.holdApplicationUntilProxyStarts),
    interception: annotation(
      pod,
      "sidecar.istio.io/interceptionMode",
      typeof config["interceptionMode"] === "string" ? config["interceptionMode"] : "REDIRECT",
    ),
    statusPort: Number(annotation(pod, "status.sidecar.istio.io/port", String(values.global.proxy.statusPort))),
    image: proxyImage(pod, values, config.imageType),
    clusterId: context.cluster || values.global.multiCluster.clusterName || "Kubernetes",
    network: context.network || values.global.network,
    appContainers: (pod.spec?.containers ?? []).map(({ name }) => name).filter((name) => name !== PROXY_CONTAINER),
  };
}

function proxyImage(pod: Pod, values: InjectionValues, configuredType: string | undefined): string {
  const { hub, tag, proxy } = values.global;
  const image = annotation(pod, "sidecar.istio.io/proxyImage", proxy.image);
  if (image.includes("/")) return image;
  const type = annotation(pod, "sidecar.istio.io/proxyImageType", configuredType ?? "");
  return `${hub}/${image}:${tag}${type && type !== "default" ? `-${type}` : ""}`;
}
