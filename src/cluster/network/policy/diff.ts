import { TABLE } from "../node-rules.ts";
import { Transactions, type Change } from "../transactions.ts";
import { MAPS, type PolicyState } from "./rules.ts";

export function emptyState(): PolicyState {
  return { sets: new Map(), chains: new Map(), maps: { np_ingress: new Map(), np_egress: new Map(), np_local: new Map() } };
}

/** As many elements in a command that one is far below a transaction's size. */
const MAX_ELEMENTS = 200;

/**
 * The transactions that turn `from` into `to`: one where it is small enough. In several, what is to be closed is closed
 * before anything is opened, and nothing that is still in use is taken away.
 */
export function policyChanges(from: PolicyState, to: PolicyState): Change<PolicyState>[] {
  const changes = new Transactions<PolicyState>();
  const elements = (verb: "add" | "delete", set: string, list: string[]) => {
    for (let start = 0; start < list.length; start += MAX_ELEMENTS) {
      const some = list.slice(start, start + MAX_ELEMENTS);
      changes.add(`${verb} element ip ${TABLE} ${set} { ${some.join(", ")} }\n`, (state) => {
        for (const element of some) state.sets.get(set)?.elements[verb](element);
      });
    }
  };
  const news = [...to.sets].filter(([name]) => !from.sets.has(name));
  const kept = [...to.sets].filter(([name]) => from.sets.has(name));
  const before = (name: string) => from.sets.get(name)?.elements ?? new Set<string>();

  for (const [name, set] of news) {
    changes.add(`add set ip ${TABLE} ${name} { ${set.type} }\n`, (state) => state.sets.set(name, { type: set.type, elements: new Set() }));
    elements("add", name, [...set.elements]);
  }
  for (const [name, rules] of to.chains) {
    if (from.chains.has(name)) continue;
    const commands = rules.split("\n").map((rule) => `add rule ip ${TABLE} ${name} ${rule}\n`);
    changes.add(`add chain ip ${TABLE} ${name}\n${commands.join("")}`, (state) => state.chains.set(name, rules));
  }
  // Closed now: pods that were open, those under other rules, and peers that no longer are any.
  for (const map of MAPS) {
    for (const [ip, chain] of to.maps[map]) {
      const known = from.maps[map].get(ip);
      if (known === chain) continue;
      const remove = known === undefined ? "" : `delete element ip ${TABLE} ${map} { ${ip} : jump ${known} }\n`;
      changes.add(`${remove}add element ip ${TABLE} ${map} { ${ip} : jump ${chain} }\n`, (state) => state.maps[map].set(ip, chain));
    }
  }
  for (const [name, set] of kept)
    elements(
      "delete",
      name,
      [...before(name)].filter((element) => !set.elements.has(element)),
    );
  // Opened now.
  for (const [name, set] of kept)
    elements(
      "add",
      name,
      [...set.elements].filter((element) => !before(name).has(element)),
    );
  for (const map of MAPS) {
    for (const [ip, chain] of from.maps[map]) {
      if (!to.maps[map].has(ip)) changes.add(`delete element ip ${TABLE} ${map} { ${ip} : jump ${chain} }\n`, (state) => state.maps[map].delete(ip));
    }
  }
  // No longer used.
  for (const name of from.chains.keys()) {
    if (!to.chains.has(name)) changes.add(`flush chain ip ${TABLE} ${name}\ndelete chain ip ${TABLE} ${name}\n`, (state) => state.chains.delete(name));
  }
  for (const name of from.sets.keys()) {
    if (!to.sets.has(name)) changes.add(`delete set ip ${TABLE} ${name}\n`, (state) => state.sets.delete(name));
  }
  return changes.finish();
}
