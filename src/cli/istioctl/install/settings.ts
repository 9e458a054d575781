import { ChainmailError } from "../../../base/index.ts";
import { defaultValues, type InjectionValues } from "../../../controlplane/injection/index.ts";
import { installValues, meshConfig, type InstallValues } from "../../../controlplane/install/index.ts";
import { isTree, merge, type OperatorTree } from "./operator.ts";

/** What an installation shall be, read off an IstioOperator. */
export interface InstallSettings {
  readonly profile: string;
  readonly values: Partial<InstallValues>;
  readonly components: {
    readonly base: boolean;
    readonly pilot: boolean;
    readonly ingress: boolean;
    readonly egress: boolean;
    readonly console: boolean;
    readonly metrics: boolean;
  };
  /** Whether the user chose where images come from. */
  readonly ownImages: boolean;
}

/** Istio's profiles as far as a mesh of sidecars has them. */
const PROFILES: Record<string, { base: boolean; pilot: boolean; ingress: boolean; egress: boolean; addons: boolean }> = {
  default: { base: true, pilot: true, ingress: true, egress: false, addons: true },
  demo: { base: true, pilot: true, ingress: true, egress: true, addons: true },
  minimal: { base: true, pilot: true, ingress: false, egress: false, addons: false },
  empty: { base: false, pilot: false, ingress: false, egress: false, addons: false },
  preview: { base: true, pilot: true, ingress: true, egress: false, addons: true },
  stable: { base: true, pilot: true, ingress: true, egress: false, addons: true },
};
/** Profiles of other kinds of meshes, and what they need that is not here. */
const OTHER_PROFILES: Record<string, string> = {
  ambient: "ztunnel and waypoints",
  "openshift-ambient": "ztunnel and waypoints",
  openshift: "Istio's CNI plugin",
  remote: "a control plane in another cluster",
};

/** Components of Istio that have no counterpart. */
const ABSENT_COMPONENTS = ["cni", "ztunnel", "istiodRemote"];

/** Reads the settings and takes out what it understands; what is left over has no place here and is refused, or left out by force. */
export function readSettings(input: OperatorTree, options: { force?: boolean; warn?: (text: string) => void } = {}): InstallSettings {
  const tree = structuredClone(input);
  const reader = new Reader(tree);
  for (const name of ["apiVersion", "kind", "metadata.name", "metadata.annotations", "metadata.labels", "spec.installPackagePath"]) reader.take(name);
  const profileName = reader.text("spec.profile") || "default";
  const profile = PROFILES[profileName];
  if (!profile) {
    const lacking = OTHER_PROFILES[profileName];
    throw new ChainmailError(
      "PROFILE_UNKNOWN",
      lacking
        ? `merge inputs: profile ${JSON.stringify(profileName)} needs ${lacking}, which Chainmail does not have`
        : `merge inputs: profile ${JSON.stringify(profileName)} not found`,
      {
        hint: `one of ${Object.keys(PROFILES).join(", ")}`,
      },
    );
  }
  for (const name of ["spec.values.profile", "spec.values.defaultRevision", "spec.values.global.configValidation"]) reader.take(name);

  const namespace = reader.text("spec.values.global.istioNamespace") ?? reader.text("metadata.namespace");
  reader.take("metadata.namespace");
  // The console and the metrics store have their place in Istio's own namespace.
  const addons = profile.addons && (namespace === undefined || namespace === "istio-system");
  const component = (name: string, usual: boolean): boolean => reader.boolean(`spec.components.${name}.enabled`) ?? usual;
  const gateway = (list: string, name: string, usual: boolean): boolean =>
    reader.boolean(`spec.values.gateways.${name}.enabled`) ?? reader.gateway(list, name) ?? usual;
  const components = {
    base: component("base", profile.base),
    pilot: component("pilot", profile.pilot),
    ingress: gateway("ingressGateways", "istio-ingressgateway", profile.ingress),
    egress: gateway("egressGateways", "istio-egressgateway", profile.egress),
    console: reader.boolean("spec.values.kiali.enabled") ?? addons,
    metrics: reader.boolean("spec.values.prometheus.enabled") ?? addons,
  };
  for (const name of ABSENT_COMPONENTS) if (component(name, false)) reader.refuse(`spec.components.${name}.enabled`);

  const mesh: OperatorTree = {};
  for (const path of ["spec.values.meshConfig", "spec.meshConfig"]) {
    const given = reader.take(path);
    if (isTree(given)) merge(mesh, given);
  }
  const hub = reader.text("spec.values.global.hub") ?? reader.text("spec.hub");
  const version = reader.text("spec.values.global.tag") ?? reader.text("spec.tag");
  const revision = reader.text("spec.values.revision") ?? reader.text("spec.revision");
  const replicas = reader.count("spec.components.pilot.k8s.replicaCount") ?? reader.count("spec.values.pilot.replicaCount");
  const proxy = reader.text("spec.values.chainmail.proxy");
  if (proxy !== undefined && proxy !== "chainmail" && proxy !== "envoy")
    throw new ChainmailError("USAGE", `values.chainmail.proxy is ${JSON.stringify(proxy)}: it is either chainmail or envoy`);
  const trustDomain = typeof mesh.trustDomain === "string" ? mesh.trustDomain : undefined;
  const injection = reader.injection();
  const clusterDomain = injection.global?.proxy?.clusterDomain;

  reader.finish(options);
  const values: Partial<InstallValues> = {
    ...(version !== undefined && { version }),
    ...(hub !== undefined && { hub }),
    ...(namespace !== undefined && { namespace }),
    ...(revision !== undefined && revision !== "" && { revision }),
    ...(replicas !== undefined && { replicas }),
    ...(proxy !== undefined && { proxy: proxy as InstallValues["proxy"] }),
    ...(trustDomain !== undefined && { trustDomain }),
    ...(clusterDomain !== undefined && { clusterDomain }),
    injection,
    egressGateway: components.egress,
  };
  return { profile: profileName, values: { ...values, meshConfig: overMeshConfig(values, mesh) }, components, ownImages: hub !== undefined };
}

/** The user's fields over the installation's, map by map: setting one field of defaultConfig keeps the others. */
function overMeshConfig(values: Partial<InstallValues>, given: OperatorTree): OperatorTree {
  const whole = structuredClone(meshConfig(installValues(values)));
  merge(whole, given);
  return Object.fromEntries(Object.keys(given).map((key) => [key, whole[key]]));
}

/** Takes values out of a tree, and knows in the end what nobody asked for. */
class Reader {
  readonly #refused: string[] = [];

  constructor(readonly tree: OperatorTree) {}

  take(path: string): unknown {
    const steps = path.split(".");
    const last = steps.pop() ?? "";
    let place: unknown = this.tree;
    for (const step of steps) place = isTree(place) ? place[step] : undefined;
    if (!isTree(place) || !(last in place)) return undefined;
    const value = place[last];
    delete place[last];
    return value ?? undefined;
  }

  text(path: string): string | undefined {
    const value = this.take(path);
    if (value === undefined) return undefined;
    if (typeof value === "string" || typeof value === "number") return String(value);
    throw new ChainmailError("USAGE", `${path.replace(/^spec\./, "")} takes text, not ${JSON.stringify(value)}`);
  }

  count(path: string): number | undefined {
    const value = this.take(path);
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0)) return value;
    throw new ChainmailError("USAGE", `${path.replace(/^spec\./, "")} takes a number, not ${JSON.stringify(value)}`);
  }

  boolean(path: string): boolean | undefined {
    const value = this.take(path);
    if (value === undefined || typeof value === "boolean") return value;
    throw new ChainmailError("USAGE", `${path.replace(/^spec\./, "")} takes true or false, not ${JSON.stringify(value)}`);
  }

  refuse(path: string): void {
    this.#refused.push(path);
  }

  /** One gateway of a list: there is one of each kind, under Istio's name. */
  gateway(list: string, name: string): boolean | undefined {
    const path = `spec.components.${list}`;
    const all = this.take(path);
    if (all === undefined) return undefined;
    if (!Array.isArray(all)) throw new ChainmailError("USAGE", `components.${list} is a list of gateways`);
    let enabled: boolean | undefined;
    for (const [index, item] of all.entries()) {
      if (!isTree(item)) continue;
      const { name: given, enabled: wanted, ...rest } = item;
      const at = `${path}[${index}]`;
      // Istio's paths may name the element by its place alone.
      if (given !== undefined && given !== name) {
        if (wanted !== false) this.refuse(`${at}.name`);
        continue;
      }
      if (wanted !== undefined && typeof wanted !== "boolean")
        throw new ChainmailError("USAGE", `components.${list}[${index}].enabled takes true or false, not ${JSON.stringify(wanted)}`);
      enabled = wanted ?? true;
      for (const key of Object.keys(rest)) this.refuse(`${at}.${key}`);
    }
    return enabled;
  }

  /** Values of injection: the keys that injection has, with the types that they have. */
  injection(): Partial<InjectionValues> {
    const known = defaultValues() as unknown as OperatorTree;
    const found: OperatorTree = {};
    // Templates have the names that users give them.
    const templates = Object.fromEntries(
      ["templates", "defaultTemplates", "aliases"]
        .map((key) => [key, this.take(`spec.values.sidecarInjectorWebhook.${key}`)])
        .filter(([, value]) => value !== undefined),
    ) as OperatorTree;
    for (const section of ["global", "sidecarInjectorWebhook"]) {
      const picked = this.#pick(`spec.values.${section}`, known[section]);
      if (picked !== undefined) found[section] = picked;
    }
    if (Object.keys(templates).length > 0) found["sidecarInjectorWebhook"] = { ...(found["sidecarInjectorWebhook"] as OperatorTree | undefined), ...templates };
    // Each section is laid over the defaults as a whole.
    for (const [section, picked] of Object.entries(found)) {
      const whole = structuredClone(known[section]) as OperatorTree;
      merge(whole, picked as OperatorTree);
      found[section] = whole;
    }
    return found as Partial<InjectionValues>;
  }

  #pick(path: string, known: unknown): unknown {
    if (!isTree(known) || path.endsWith(".resources")) {
      const value = this.take(path);
      if (value === undefined) return undefined;
      const converted = typeof known === "string" && typeof value === "number" ? String(value) : value;
      if (typeof converted !== typeof known || Array.isArray(converted) !== Array.isArray(known))
        throw new ChainmailError("USAGE", `${path.replace(/^spec\./, "")} cannot be ${JSON.stringify(value)}`);
      return converted;
    }
    const found: OperatorTree = {};
    for (const [key, part] of Object.entries(known)) {
      const picked = this.#pick(`${path}.${key}`, part);
      if (picked !== undefined) found[key] = picked;
    }
    return Object.keys(found).length > 0 ? found : undefined;
  }

  /** Settings that nothing reads would be believed to hold. */
  finish({ force = false, warn = () => {} }: { force?: boolean; warn?: (text: string) => void }): void {
    const left = [...this.#refused, ...leaves(this.tree, "")].map((path) => path.replace(/^spec\./, "")).sort();
    if (left.length === 0) return;
    const text = `Chainmail has no place for these settings: ${left.join(", ")}`;
    if (!force) throw new ChainmailError("SETTING_UNKNOWN", text, { hint: "leave them out, or go on without them by --force" });
    warn(text);
  }
}

function leaves(value: unknown, path: string): string[] {
  if (isTree(value)) return Object.entries(value).flatMap(([key, part]) => leaves(part, path === "" ? key : `${path}.${key}`));
  return value === null || value === undefined ? [] : [path];
}
