import { ChainmailError } from "../../../base/index.ts";
import type { KubeObject } from "../../../resources/types.ts";

/** Whose proxies: every list that is not empty has to hold the pod. */
export interface PodFilter {
  readonly namespaces: readonly string[];
  readonly deployments: readonly string[];
  readonly pods: readonly string[];
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

/** `ns1,ns2/dep/pod/label=value/annotation=value/container`. */
export function parseFilter(text: string): PodFilter {
  const parts = text.split("/").map((part) =>
    part
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== ""),
  );
  if (parts.length > 6) throw new ChainmailError("USAGE", `${JSON.stringify(text)} has more than the six parts ns/deployment/pod/label/annotation/container`);
  const [namespaces = [], deployments = [], pods = [], labels = [], annotations = []] = parts;
  return { namespaces, deployments, pods, labels, annotations };
}

/** Pods that one of the included filters takes and none of the excluded ones. */
export function selects(pod: KubeObject, include: readonly PodFilter[], exclude: readonly PodFilter[]): boolean {
  return (include.length === 0 || include.some((filter) => matches(pod, filter))) && !exclude.some((filter) => matches(pod, filter));
}

function matches({ metadata }: KubeObject, filter: PodFilter): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)?.name ?? "";
  // A replica set's name is its deployment's with a hash behind it.
  const deployment = owner.replace(/-[^-]*$/, "");
  const pairs = (values: Record<string, string> | undefined, wanted: readonly string[]): boolean =>
    wanted.length === 0 ||
    wanted.some((pair) => {
      const [key = "", pattern = "*"] = pair.split("=");
      return values?.[key] !== undefined && globs([pattern], values[key] ?? "");
    });
  return (
    globs(filter.namespaces, metadata.namespace ?? "") &&
    globs(filter.deployments, deployment) &&
    globs(filter.pods, metadata.name) &&
    pairs(metadata.labels, filter.labels) &&
    pairs(metadata.annotations, filter.annotations)
  );
}

function globs(patterns: readonly string[], text: string): boolean {
  return (
    patterns.length === 0 ||
    patterns.some((pattern) =>
      new RegExp(
        `^${pattern
          .split("*")
          .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
          .join(".*")}$`,
      ).test(text),
    )
  );
}
