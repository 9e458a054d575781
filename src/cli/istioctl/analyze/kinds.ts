import type { RuntimeKind } from "./findings.ts";

/** Versions in which a group's objects may be written. */
const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  "networking.istio.io": ["v1", "v1beta1", "v1alpha3"],
  "security.istio.io": ["v1", "v1beta1"],
  "telemetry.istio.io": ["v1", "v1alpha1"],
  "extensions.istio.io": ["v1alpha1"],
  "gateway.networking.k8s.io": ["v1", "v1beta1", "v1alpha2"],
  apps: ["v1"],
  "": ["v1"],
  "apiextensions.k8s.io": ["v1"],
  "admissionregistration.k8s.io": ["v1"],
};

/** Kinds that analyzers look at, by group. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  "networking.istio.io": [
    "DestinationRule",
    "EnvoyFilter",
    "Gateway",
    "ProxyConfig",
    "ServiceEntry",
    "Sidecar",
    "VirtualService",
    "WorkloadEntry",
    "WorkloadGroup",
  ],
  "security.istio.io": ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"],
  "telemetry.istio.io": ["Telemetry"],
  "extensions.istio.io": ["TrafficExtension", "WasmPlugin"],
  "gateway.networking.k8s.io": ["Gateway", "HTTPRoute", "GRPCRoute"],
  apps: ["Deployment"],
  "": ["ConfigMap", "Service", "Namespace", "Node", "Pod", "Secret"],
  "apiextensions.k8s.io": ["CustomResourceDefinition"],
  "admissionregistration.k8s.io": ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
};

const RUNTIME_KINDS: ReadonlySet<string> = new Set<RuntimeKind>(["Service", "Namespace", "Node", "Pod", "Secret"]);

/** Whether any analyzer looks at the kind. */
export function isAnalyzed(apiVersion: string, kind: string): boolean {
  const [group, version] = apiVersion.includes("/") ? (apiVersion.split("/") as [string, string]) : ["", apiVersion];
  return (VERSIONS[group]?.includes(version) ?? false) && (KINDS[group]?.includes(kind) ?? false);
}

/** istioctl takes what is configuration from files, and what runs from the cluster only. */
export function isTakenFromFiles(apiVersion: string, kind: string): boolean {
  return isAnalyzed(apiVersion, kind) && !(apiVersion === "v1" && RUNTIME_KINDS.has(kind));
}
