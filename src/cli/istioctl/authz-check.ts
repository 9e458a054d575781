import { Command } from "commander";
import { readFileSync } from "node:fs";
import { ChainmailError } from "../../base/index.ts";
import { tabwriter } from "./format/tabwriter.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { openKube } from "./kube-access.ts";
import { resolvePod } from "./pods.ts";
import { list, listenersOf, object, parseDump, text, type ConfigDump, type Json } from "./proxy-config/dump.ts";

/** `x authz check`: which authorization policies a proxy enforces, as its configuration says. */
export function authzCommand(): Command {
  const check = withGlobals(new Command("check"))
    .description("authorization policies in force at a proxy")
    .argument("[pod]", "[<type>/]<name>[.<namespace>]")
    .option("-f, --file <path>", "a config dump in a file");
  check.action(async (argument: string | undefined, options: { file?: string }) => {
    if ((argument === undefined) === (options.file === undefined)) throw new ChainmailError("USAGE", "check requires one pod or --file");
    if (options.file !== undefined) {
      process.stdout.write(authzTable(parseDump(readFileSync(options.file, "utf8"))));
      return;
    }
    const kube = await openKube(globalsOf(check));
    const pod = await resolvePod(kube, argument ?? "");
    process.stdout.write(authzTable(parseDump((await kube.request(pod, 15000, "GET", "config_dump")).body)));
  });
  return withGlobals(new Command("authz")).description("authorization policies").addCommand(check);
}

const RBAC_TYPES = new Set([
  "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
  "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
]);
/** What Istio calls a policy whose rules all fell away: it matches nothing. */
const ANONYMOUS = "_anonymous_match_nothing_";
const ACTIONS = ["DENY", "ALLOW", "LOG"];

export function authzTable(dump: ConfigDump): string {
  const rules = new Map<string, Map<string, Set<string>>>();
  const add = (action: string, policy: string, rule: string): void => {
    const policies = rules.get(action) ?? new Map<string, Set<string>>();
    rules.set(action, policies);
    policies.set(policy, (policies.get(policy) ?? new Set()).add(rule));
  };
  for (const filter of listenersOf(dump).flatMap(rbacFilters)) {
    if (filter.rules === undefined) continue;
    const content = object(filter.rules);
    const action = text(content.action) || "ALLOW";
    const names = Object.keys(object(content.policies));
    if (names.length === 0) add(action, ANONYMOUS, "0");
    for (const name of names) {
      const [, namespace, policy, rule] = /ns\[(.+)\]-policy\[(.+)\]-rule\[(.+)\]/.exec(name) ?? [];
      if (policy === undefined) add(action, name, "0");
      else add(action, `${policy}.${namespace}`, rule ?? "");
    }
  }
  const rows = ACTIONS.flatMap((action) => [...(rules.get(action) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([policy, indices]) => [action, policy, String(indices.size)]));
  return tabwriter([["ACTION", "AuthorizationPolicy", "RULES"], ...rows], 3);
}

/** RBAC filters of a listener, those of its HTTP connection managers included. */
export function rbacFilters(listener: Json): Json[] {
  const chains = [...list(listener.filter_chains), object(listener.default_filter_chain)];
  return chains.flatMap(chainRbacFilters);
}

export function chainRbacFilters(chain: Json): Json[] {
  const network = list(chain.filters).map(({ typed_config }) => object(typed_config));
  const http = network.flatMap(({ http_filters }) => list(http_filters).map(({ typed_config }) => object(typed_config)));
  return [...network, ...http].filter((config) => RBAC_TYPES.has(text(config["@type"])));
}
