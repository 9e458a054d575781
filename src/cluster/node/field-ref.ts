import type { Container, Pod } from "../../resources/index.ts";
import { ChainmailError } from "../../base/index.ts";
import { divideQuantity } from "./quantity.ts";

/** What only the node knows of a pod while it runs. */
export interface PodAddresses {
  podIP: string;
  hostIP: string;
}

/** What a container without a limit is told: the node's own capacity. */
export interface NodeCapacity {
  cpu: number;
  memoryBytes: number;
}

/**
 * The value of a downward API field: `metadata.labels['app']`, `status.podIP`, `metadata.annotations` as `key="value"`
 * lines. Throws BAD_FIELD_REF for a path that Kubernetes does not know.
 */
export function fieldValue(pod: Pod, path: string, addresses: PodAddresses): string {
  const { metadata } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript) return metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return mapLines(metadata.labels);
    case "metadata.annotations":
      return mapLines(metadata.annotations);
    case "spec.nodeName":
      return pod.spec?.nodeName ?? "";
    case "spec.serviceAccountName":
      return pod.spec?.serviceAccountName ?? "default";
    case "status.podIP":
    case "status.podIPs":
      return addresses.podIP;
    case "status.hostIP":
    case "status.hostIPs":
      return addresses.hostIP;
    default:
      throw new ChainmailError("BAD_FIELD_REF", `unsupported fieldPath: ${path}`);
  }
}

/** The value of `limits.cpu`, `requests.memory` and so on of a container, divided and rounded up. */
export function resourceValue(container: Container, resource: string, divisor: string | undefined, capacity: NodeCapacity): string {
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(resource);
  if (!match) throw new ChainmailError("BAD_FIELD_REF", `unsupported container resource: ${resource}`);
  const [, list, name = ""] = match;
  const declared = container.resources?.[list as "limits" | "requests"]?.[name];
  const value = declared ?? (list === "limits" ? { cpu: capacity.cpu, memory: capacity.memoryBytes }[name] : undefined) ?? 0;
  const text = divideQuantity(value, divisor);
  if (text === undefined) throw new ChainmailError("BAD_FIELD_REF", `${resource} of container ${container.name} cannot be divided by ${divisor}`);
  return text;
}

/** Sorted `key="value"` lines without a newline at the end, as the downward API writes labels and annotations. */
function mapLines(map: Record<string, string> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${JSON.stringify(map?.[key])}`)
    .join("\n");
}
