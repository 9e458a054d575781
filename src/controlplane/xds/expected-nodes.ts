import type { Container, Pod } from "../../resources/index.ts";
import type { MeshSnapshot } from "../registry/index.ts";
import { parseNode } from "./node.ts";
import type { ProxyNode } from "./types.ts";

/** What injection writes into a pod that has got a sidecar. */
const TLS_MODE = "security.istio.io/tlsMode";
const PROXY_CONTAINER = "istio-proxy";
const METADATA_PREFIX = "ISTIO_META_";

/**
 * One node for each namespace, as a sidecar in it will describe itself, read off its pod: who sees the same gets the same.
 * At most `limit`. A guess: what is made for a node that never comes goes with the node.
 */
export function expectedNodes(snapshot: MeshSnapshot, limit: number): ProxyNode[] {
  const found = new Map<string, ProxyNode>();
  for (const pod of snapshot.objects.list("Pod") as readonly Pod[]) {
    const namespace = pod.metadata.namespace ?? "";
    if (found.has(namespace)) continue;
    const node = expectedNode(pod, snapshot.domain);
    if (node) found.set(namespace, node);
    if (found.size === limit) break;
  }
  return [...found.values()];
}

function expectedNode({ metadata, spec, status }: Pod, domain: string): ProxyNode | undefined {
  const { name, namespace = "", labels = {}, annotations } = metadata;
  const container = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find((candidate) => candidate.name === PROXY_CONTAINER);
  if (!status?.podIP || (!container && labels[TLS_MODE] !== "istio") || container?.args?.includes("router")) return undefined;
  return parseNode(`sidecar~${status.podIP}~${name}.${namespace}~${namespace}.svc.${domain}`, {
    INTERCEPTION_MODE: "REDIRECT",
    INSTANCE_IPS: status.podIP,
    LABELS: labels,
    NAMESPACE: namespace,
    NODE_NAME: spec?.nodeName,
    SERVICE_ACCOUNT: spec?.serviceAccountName,
    ...(annotations && { ANNOTATIONS: annotations }),
    ...(container && ofContainer(container)),
  });
}

/** What the agent adds by what its container is given. */
function ofContainer({ env = [] }: Container): Record<string, unknown> {
  const values = new Map(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])));
  const meta = [...values].flatMap(([name, value]) => (name.startsWith(METADATA_PREFIX) ? [[name.slice(METADATA_PREFIX.length), value] as const] : []));
  return {
    ...(values.get("CHAINMAIL_PROXY") === "envoy" ? { CHAINMAIL_DIALECT: "envoy" } : { CHAINMAIL_PROXY: "true" }),
    CLUSTER_ID: "Kubernetes",
    ENVOY_PROMETHEUS_PORT: 15090,
    ENVOY_STATUS_PORT: 15021,
    PROXY_CONFIG: jsonOf(values.get("PROXY_CONFIG")),
    ...Object.fromEntries(meta),
  };
}

function jsonOf(text = "{}"): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // YAML, which injection does not write: the guess is a little worse.
    return {};
  }
}
