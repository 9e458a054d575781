import { expandGo } from "../../base/regex/index.ts";
import { compileRe2Groups } from "../store/re2.ts";
import { labelOf } from "../store/series.ts";
import { executionError } from "./promql-error.ts";
import { type Sample } from "./values.ts";

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Sets `target` to the replacement where the expression fits all of `source`; an empty result takes the label away. Throws PromqlError. */
export function labelReplace(samples: Sample[], target: string, replacement: string, source: string, pattern: string): Sample[] {
  let groups: ReturnType<typeof compileRe2Groups>;
  try {
    groups = compileRe2Groups(pattern);
  } catch {
    throw executionError(`invalid regular expression in label_replace(): ${pattern}`);
  }
  if (!LABEL_NAME.test(target)) throw executionError(`invalid destination label name in label_replace(): ${target}`);
  return samples.map((sample) => {
    const match = groups(labelOf(sample.labels, source));
    return match
      ? {
          ...sample,
          labels: withLabel(
            sample.labels,
            target,
            expandGo(replacement, (name) => (/^\d+$/.test(name) ? match.texts[Number(name)] : match.named.get(name))),
          ),
        }
      : sample;
  });
}

/** Sets `target` to the values of the source labels with the separator between them. Throws PromqlError. */
export function labelJoin(samples: Sample[], target: string, separator: string, sources: string[]): Sample[] {
  if (!LABEL_NAME.test(target)) throw executionError(`invalid destination label name in label_join(): ${target}`);
  return samples.map((sample) => ({
    ...sample,
    labels: withLabel(sample.labels, target, sources.map((name) => labelOf(sample.labels, name)).join(separator)),
  }));
}

/** Sorts by the values of labels, numbers in them by size. */
export function sortByLabel(samples: Sample[], names: readonly string[], descending: boolean): Sample[] {
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const sign = descending ? -1 : 1;
  return samples.toSorted((a, b) => {
    for (const name of names) {
      const order = compare(labelOf(a.labels, name), labelOf(b.labels, name));
      if (order !== 0) return sign * order;
    }
    return 0;
  });
}

function withLabel(labels: Sample["labels"], name: string, value: string): Sample["labels"] {
  const { [name]: _, ...rest } = labels;
  return value === "" ? rest : { ...rest, [name]: value };
}
