import type { KubeObject } from "../../../resources/types.ts";
import { tabwriter } from "../format/tabwriter.ts";

export const REVISION_LABEL = "istio.io/rev";
export const TAG_LABEL = "istio.io/tag";

/** A tag, or a revision without any. */
export interface Tag {
  readonly tag: string;
  readonly revision: string;
  /** Namespaces that use it. */
  readonly namespaces: readonly string[];
}

/** Tags of webhook configurations and services; a revision that has a tag is not listed without. */
export function tagsOf(labelled: readonly KubeObject[], namespaces: readonly KubeObject[]): Tag[] {
  const pairs = new Map<string, { tag: string; revision: string }>();
  for (const { metadata } of labelled) {
    const revision = metadata.labels?.[REVISION_LABEL];
    const tag = metadata.labels?.[TAG_LABEL] ?? "";
    if (revision !== undefined) pairs.set(`${revision} ${tag}`, { tag, revision });
  }
  const tagged = new Set([...pairs.values()].filter(({ tag }) => tag !== "").map(({ revision }) => revision));
  return [...pairs.values()]
    .filter(({ tag, revision }) => tag !== "" || !tagged.has(revision))
    .map(({ tag, revision }) => ({
      tag,
      revision,
      namespaces: namespaces.filter(({ metadata }) => metadata.labels?.[REVISION_LABEL] === tag).map(({ metadata }) => metadata.name),
    }))
    .sort((a, b) => compare(a.revision, b.revision) || compare(a.tag, b.tag));
}

export function tagTable(tags: readonly Tag[]): string {
  return tabwriter([["TAG", "REVISION", "NAMESPACES"], ...tags.map(({ tag, revision, namespaces }) => [tag, revision, namespaces.join(",")])], 1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
