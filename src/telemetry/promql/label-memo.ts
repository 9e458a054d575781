import { type Labels, labelOf } from "../store/series.ts";
import { keep, labelKey, omit, withoutName } from "./values.ts";

/** Labels that were derived from others, with their key. */
export interface KeyedLabels {
  labels: Labels;
  key: string;
}

/**
 * What a query computes from label sets is computed once a set, not once a step: sets are told apart by identity, and what
 * comes out keeps its identity from step to step. One memo a query.
 */
export class LabelMemo {
  readonly #unnamed = new Map<Labels, Labels>();
  readonly #keys = new Map<Labels, string>();
  readonly #groups = new Map<object, { bySet: Map<Labels, KeyedLabels>; byKey: Map<string, KeyedLabels> }>();

  /** The labels without the metric's name. */
  unnamed(labels: Labels): Labels {
    if (labels.__name__ === undefined) return labels;
    let known = this.#unnamed.get(labels);
    if (!known) this.#unnamed.set(labels, (known = withoutName(labels)));
    return known;
  }

  key(labels: Labels): string {
    let known = this.#keys.get(labels);
    if (known === undefined) this.#keys.set(labels, (known = labelKey(labels)));
    return known;
  }

  /** The part of the labels that `owner`, an expression, groups or matches by: only `names`, or all but these and the metric's name. */
  part(owner: object, labels: Labels, names: readonly string[], only: boolean): KeyedLabels {
    let groups = this.#groups.get(owner);
    if (!groups) this.#groups.set(owner, (groups = { bySet: new Map(), byKey: new Map() }));
    const known = groups.bySet.get(labels);
    if (known) return known;
    let key: string;
    let rest: Labels | undefined;
    if (only) {
      key = "";
      for (const name of names) key += `${labelOf(labels, name)}\u0000`;
    } else key = labelKey((rest = omit(labels, names)));
    let group = groups.byKey.get(key);
    if (!group) groups.byKey.set(key, (group = { labels: rest ?? keep(labels, names), key }));
    groups.bySet.set(labels, group);
    return group;
  }
}
