import { valueText } from "../match/values.ts";
import type { FilterMetadata } from "../telemetry/stream-info.ts";

/** Where routes, requests and endpoints say what subset they mean. */
export const LB_METADATA = "envoy.lb";
/** Envoy's name for criteria that are tried one after the other. */
const FALLBACK_LIST = "fallback_list";

type Values = { readonly [key: string]: unknown };

/** What the metadata of a route, a weighted cluster and the request want of an endpoint's: keys with a value each. */
export class MetadataCriteria {
  /** In the order of their names. */
  readonly keys: readonly string[];
  /** Keys and values in one text: equal criteria have the same. */
  readonly id: string;
  readonly #values: Values;
  #fallbacks: readonly MetadataCriteria[] | undefined;

  private constructor(values: Values) {
    this.#values = values;
    this.keys = Object.keys(values).sort();
    this.id = criteriaId(this.keys, (key) => valueText(values[key]));
  }

  /** Undefined when there is nothing that an endpoint must have. */
  static of(metadata: FilterMetadata | undefined): MetadataCriteria | undefined {
    const values = metadata?.[LB_METADATA];
    return values && new MetadataCriteria(values);
  }

  /** What the more specific says goes before what this says. */
  merge(values: Values | undefined): MetadataCriteria {
    return values ? new MetadataCriteria({ ...this.#values, ...values }) : this;
  }

  static merged(base: MetadataCriteria | undefined, values: Values | undefined): MetadataCriteria | undefined {
    return base ? base.merge(values) : values && new MetadataCriteria(values);
  }

  /** Only those keys. */
  only(keys: ReadonlySet<string>): MetadataCriteria {
    return new MetadataCriteria(Object.fromEntries(Object.entries(this.#values).filter(([key]) => keys.has(key))));
  }

  /** One for each entry of `fallback_list`, with what else is wanted; itself alone without such a list. */
  get fallbacks(): readonly MetadataCriteria[] {
    return (this.#fallbacks ??= this.#listed());
  }

  #listed(): readonly MetadataCriteria[] {
    const { [FALLBACK_LIST]: list, ...rest } = this.#values;
    if (!Array.isArray(list) || list.length === 0) return [this];
    const entries = list.filter((each): each is Values => typeof each === "object" && each !== null && !Array.isArray(each));
    return entries.map((entry) => new MetadataCriteria({ ...rest, ...entry }));
  }
}

/** The same for equal keys with equal values. */
export function criteriaId(keys: readonly string[], value: (key: string) => string): string {
  return keys.map((key) => `${JSON.stringify(key)}:${value(key)}`).join(",");
}
