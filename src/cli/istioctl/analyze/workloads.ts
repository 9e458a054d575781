import { validateIstio } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { containersOf } from "../describe/ports.ts";
import { list, object, text } from "../proxy-config/dump.ts";
import { labelText, namespaceOf, spec, stringMap, type Analyzer, type Finding } from "./world.ts";

const INJECTION_LABEL = "istio-injection";
const REVISION_LABEL = "istio.io/rev";
const SYSTEM = new Set(["kube-system", "kube-public", "kube-node-lease", "local-path-storage"]);

export const injection: Analyzer = {
  name: "injection.Analyzer",
  description: "Checks conditions related to Istio sidecar injection",
  run(world) {
    const findings: Finding[] = [];
    const injected = new Set<string>();
    for (const about of world.kind("Namespace")) {
      const { name, labels = {} } = about.metadata;
      if (SYSTEM.has(name) || name === world.rootNamespace) continue;
      const legacy = labels[INJECTION_LABEL];
      const revision = labels[REVISION_LABEL];
      if (legacy !== undefined && revision !== undefined) {
        findings.push({ level: "Warning", code: "IST0123", about, message: `The namespace has more than one injection label [${INJECTION_LABEL} ${REVISION_LABEL}], which may lead to undefined behavior. Make sure only one injection label exists.` });
      } else if (legacy === undefined && revision === undefined && labels["istio.io/dataplane-mode"] === undefined) {
        findings.push({
          level: "Info",
          code: "IST0102",
          about,
          message: `The namespace is not enabled for Istio injection. Run 'kubectl label namespace ${name} istio-injection=enabled' to enable it, or 'kubectl label namespace ${name} istio-injection=disabled' to explicitly mark it as not needing injection.`,
        });
      }
      if (legacy === "enabled" || (legacy === undefined && revision !== undefined)) injected.add(name);
    }
    for (const about of world.kind("Pod")) {
      if (!injected.has(namespaceOf(about)) || spec(about).hostNetwork === true) continue;
      const wish = about.metadata.labels?.["sidecar.istio.io/inject"] ?? about.metadata.annotations?.["sidecar.istio.io/inject"];
      const phase = text(object(about.status).phase);
      if (wish === "false" || phase === "Succeeded" || phase === "Failed" || hasProxy(about)) continue;
      findings.push({ level: "Warning", code: "IST0103", about, message: `The pod ${namespaceOf(about)}/${about.metadata.name} is missing the Istio proxy. This can often be resolved by restarting or redeploying the workload.` });
    }
    return findings;
  },
};

function hasProxy(pod: KubeObject): boolean {
  return [...list(spec(pod).containers), ...list(spec(pod).initContainers)].some(({ name }) => name === "istio-proxy");
}

export const applicationUid: Analyzer = {
  name: "applicationUID.Analyzer",
  description: "Checks invalid application UID",
  run: (world) =>
    world.kind("Pod").flatMap((about): Finding[] => {
      // The control plane is not captured: its user is nobody's business.
      if (namespaceOf(about) === world.rootNamespace) return [];
      const podUser = object(spec(about).securityContext).runAsUser;
      const reserved = containersOf(about).some((container) => container.name !== "istio-proxy" && (container.securityContext?.runAsUser ?? podUser) === 1337);
      return reserved ? [{ level: "Warning", code: "IST0144", about, message: "User ID (UID) 1337 is reserved for the sidecar proxy." }] : [];
    }),
};

export const portNames: Analyzer = {
  name: "service.PortNameAnalyzer",
  description: "Checks the port names associated with each service",
  run: (world) =>
    world.kind("Service").flatMap((about) => {
      if (SYSTEM.has(namespaceOf(about)) || namespaceOf(about) === world.rootNamespace) return [];
      return list(spec(about).ports).flatMap((port): Finding[] => {
        const name = text(port.name);
        if (port.appProtocol !== undefined || port.protocol === "UDP" || PORT_NAME.test(name)) return [];
        return [{ level: "Info", code: "IST0118", about, message: `Port name ${name} (port: ${String(port.port)}, targetPort: ${String(port.targetPort ?? port.port)}) doesn't follow the naming convention of Istio port.` }];
      });
    }),
};

/** A protocol, alone or before a dash. */
const PORT_NAME = /^(http|http2|https|tcp|tls|udp|grpc|grpc-web|mongo|redis|mysql|hbone)(-.*)?$/;

export const sidecarSelectors: Analyzer = {
  name: "sidecar.SelectorAnalyzer",
  description: "Validates that sidecars that define a workload selector match at least one pod, and that there aren't multiple sidecar resources that select overlapping pods",
  run(world) {
    const findings: Finding[] = [];
    const byPod = new Map<KubeObject, KubeObject[]>();
    const wide = new Map<string, KubeObject[]>();
    for (const about of world.kind("Sidecar")) {
      const labels = stringMap(object(spec(about).workloadSelector).labels);
      if (Object.keys(labels).length === 0) {
        wide.set(namespaceOf(about), [...(wide.get(namespaceOf(about)) ?? []), about]);
        continue;
      }
      const pods = world.pods(labels, namespaceOf(about));
      if (pods.length === 0) findings.push({ level: "Error", code: "IST0101", about, message: `Referenced selector not found: ${JSON.stringify(labelText(labels))}` });
      for (const pod of pods) byPod.set(pod, [...(byPod.get(pod) ?? []), about]);
    }
    const names = (sidecars: readonly KubeObject[]): string => `[${sidecars.map(({ metadata }) => metadata.name).sort().join(" ")}]`;
    for (const [pod, sidecars] of byPod) {
      if (sidecars.length < 2) continue;
      for (const about of sidecars) findings.push({ level: "Error", code: "IST0110", about, message: `The Sidecars ${names(sidecars)} in namespace ${JSON.stringify(namespaceOf(about))} select the same workload pod ${JSON.stringify(pod.metadata.name)}, which can lead to undefined behavior.` });
    }
    for (const [namespace, sidecars] of wide) {
      if (sidecars.length < 2) continue;
      for (const about of sidecars) findings.push({ level: "Error", code: "IST0111", about, message: `The Sidecars ${names(sidecars)} in namespace ${JSON.stringify(namespace)} have no workload selector, which can lead to undefined behavior.` });
    }
    return findings;
  },
};

/** Kinds that istiod validates, each an analyzer of its own in Istio's list. */
export const SCHEMA_KINDS = ["AuthorizationPolicy", "DestinationRule", "EnvoyFilter", "Gateway", "PeerAuthentication", "ProxyConfig", "RequestAuthentication", "ServiceEntry", "Sidecar", "Telemetry", "VirtualService", "WasmPlugin", "WorkloadEntry", "WorkloadGroup"] as const;

export const schemaValidation: Analyzer[] = SCHEMA_KINDS.map((kind) => ({
  name: `schema.ValidationAnalyzer.${kind}`,
  description: `Runs schema validation as an analyzer on '${kind}' resources`,
  run: (world) =>
    world.kind(kind).flatMap((about): Finding[] => {
      const { error, warnings } = validateIstio(about);
      return [
        ...separate(error).map((one): Finding => ({ level: "Error", code: "IST0106", about, message: `Schema validation error: ${one}` })),
        ...warnings.map((warning): Finding => ({ level: "Warning", code: "IST0133", about, message: `Schema validation warning: ${warning}` })),
      ];
    }),
}));

/** Each error of a text that lists several under a line that counts them. */
function separate(error: string | undefined): string[] {
  if (error === undefined) return [];
  const listed = [...error.matchAll(/^\t\* (.*)$/gm)].map(([, one = ""]) => one);
  return listed.length > 0 ? listed : [error];
}
