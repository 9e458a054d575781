import type { DestinationRule, DestinationRuleSpec } from "../../../resources/index.ts";
import { resolveShortName, selects, compareAge, type MeshService } from "../../registry/index.ts";
import { Memo } from "../memo.ts";
import { HostMap } from "./host-match.ts";

/** A DestinationRule for one host; several of one namespace for the same host are merged. */
export interface EffectiveRule {
  readonly spec: DestinationRuleSpec;
  /** Name and namespace of the first, which config dumps show. */
  readonly name: string;
  readonly namespace: string;
  readonly exportTo: ReadonlySet<string>;
}

interface Entry {
  sources: DestinationRule[];
  exportTo: ReadonlySet<string>;
}

type RuleMap = HostMap<EffectiveRule[]>;

/** All DestinationRules by who looks for them where. */
export class DestinationRules {
  readonly #local = new Map<string, RuleMap>();
  readonly #exported = new Map<string, RuleMap>();
  /** Namespaces that something is exported to by name. */
  readonly #named = new Set<string>();
  readonly #rootNamespace: string;
  #rootLocal: RuleMap = new HostMap();

  /** `merged` keeps rules by the objects that they come from, so that the same rules are the same object. */
  constructor(
    rules: readonly DestinationRule[],
    options: { rootNamespace: string; domain: string; defaultExportTo: readonly string[] },
    merged: Memo<EffectiveRule>,
  ) {
    this.#rootNamespace = options.rootNamespace;
    const local = new Map<string, Map<string, Entry[]>>();
    const exported = new Map<string, Map<string, Entry[]>>();
    const rootLocal = new Map<string, Entry[]>();
    const sorted = [...rules].sort((a, b) => Number(!a.spec?.workloadSelector) - Number(!b.spec?.workloadSelector) || compareAge(a, b));
    for (const rule of sorted) {
      const namespace = rule.metadata.namespace ?? "";
      if (!rule.spec?.host) continue;
      const host = resolveShortName(rule.spec.host, namespace, options.domain);
      // A rule for some workloads only is nobody's business in other namespaces.
      const exportTo = new Set(rule.spec.workloadSelector ? ["."] : (rule.spec.exportTo ?? []));
      const visible = (target: string): boolean => exportTo.has(target);
      if (exportTo.size === 0 || visible("*") || visible(".") || visible(namespace)) file(mapOf(local, namespace), host, rule, exportTo);
      const privateOnly = exportTo.size === 0 ? options.defaultExportTo.includes(".") : exportTo.size === 1 && (visible(".") || visible(namespace));
      if (!privateOnly) {
        file(mapOf(exported, namespace), host, rule, exportTo);
        for (const target of exportTo) this.#named.add(target);
      } else if (namespace === options.rootNamespace) file(rootLocal, host, rule, exportTo);
    }
    const finish = (entries: Map<string, Entry[]>): RuleMap => {
      const map: RuleMap = new HostMap();
      for (const [host, list] of entries)
        map.set(
          host,
          list.map((entry) => merged.get([...entry.sources, host], () => mergeRules(entry))),
        );
      return map;
    };
    for (const [namespace, entries] of local) this.#local.set(namespace, finish(entries));
    for (const [namespace, entries] of exported) this.#exported.set(namespace, finish(entries));
    this.#rootLocal = finish(rootLocal);
  }

  /** Whether proxies of a namespace may use others for a service than those of any other. */
  setsApart(namespace: string): boolean {
    return namespace === this.#rootNamespace || this.#local.has(namespace) || this.#named.has(namespace);
  }

  /** The rules that proxies of a namespace use for a service: their own namespace's, else its, else the root's. */
  find(namespace: string, service: MeshService): readonly EffectiveRule[] {
    const own = namespace === this.#rootNamespace ? this.#rootLocal : this.#local.get(namespace);
    return (
      own?.mostSpecific(service.hostname) ??
      nonEmpty(this.#exportedFrom(service.namespace, service.hostname, namespace)) ??
      this.#exportedFrom(this.#rootNamespace, service.hostname, namespace)
    );
  }

  #exportedFrom(owner: string, hostname: string, client: string): readonly EffectiveRule[] {
    const rules = this.#exported.get(owner)?.mostSpecific(hostname) ?? [];
    return rules.filter(({ exportTo }) => exportTo.size === 0 || exportTo.has("*") || exportTo.has(client));
  }
}

/** The one of a service's rules that holds for a workload; rules with a selector hold for outbound traffic only. */
export function ruleFor(
  rules: readonly EffectiveRule[],
  workload: { namespace: string; labels: Readonly<Record<string, string>> },
  direction: "inbound" | "outbound",
): EffectiveRule | undefined {
  let general: EffectiveRule | undefined;
  for (const rule of rules) {
    const selector = rule.spec.workloadSelector;
    if (!selector) general = rule;
    else if (direction === "outbound" && rule.namespace === workload.namespace && selects(selector.matchLabels, workload.labels)) return rule;
  }
  return general;
}

function file(entries: Map<string, Entry[]>, host: string, rule: DestinationRule, exportTo: ReadonlySet<string>): void {
  const list = entries.get(host);
  if (!list) {
    entries.set(host, [{ sources: [rule], exportTo }]);
    return;
  }
  let separate = true;
  for (const entry of list) {
    const equal = sameSet(exportTo, entry.exportTo);
    const wider = entry.exportTo.size > 0 && [...entry.exportTo].every((target) => exportTo.has(target));
    if (!equal && !wider) {
      separate = true;
      continue;
    }
    separate = !equal;
    const own = rule.spec?.workloadSelector;
    const existing = entry.sources[0]?.spec?.workloadSelector;
    const sameSelector = JSON.stringify(own?.matchLabels ?? {}) === JSON.stringify(existing?.matchLabels ?? {});
    if (own && existing && !sameSelector) {
      separate = true;
      continue;
    }
    if (Boolean(own) === Boolean(existing)) separate = false;
    entry.sources.push(rule);
  }
  if (separate) list.push({ sources: [rule], exportTo });
}

/** The first rule wins; others add subsets with new names, and a traffic policy where there was none. */
function mergeRules({ sources, exportTo }: Entry): EffectiveRule {
  const [first, ...rest] = sources;
  const spec: DestinationRuleSpec = { host: "", ...first?.spec };
  for (const { spec: other } of rest) {
    const names = new Set(spec.subsets?.map(({ name }) => name));
    const added = (other?.subsets ?? []).filter(({ name }) => !names.has(name));
    if (added.length > 0) spec.subsets = [...(spec.subsets ?? []), ...added];
    if (!spec.trafficPolicy && other?.trafficPolicy) spec.trafficPolicy = other.trafficPolicy;
  }
  return { spec, name: first?.metadata.name ?? "", namespace: first?.metadata.namespace ?? "", exportTo };
}

function mapOf<Key, Inner>(maps: Map<string, Map<Key, Inner>>, name: string): Map<Key, Inner> {
  let map = maps.get(name);
  if (!map) maps.set(name, (map = new Map()));
  return map;
}

function nonEmpty<Item>(list: readonly Item[]): readonly Item[] | undefined {
  return list.length > 0 ? list : undefined;
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
