import { Command } from "commander";
import { readFileSync } from "node:fs";
import { ChainmailError, errorText } from "../../base/index.ts";
import { fileError } from "./format/file-error.ts";
import { tabwriter } from "./format/tabwriter.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { openKube } from "./kube-access.ts";
import { adminPortOption, group, requirePort, usageText, withHelp } from "./line/index.ts";
import { resolvePod } from "./pods.ts";
import { list, listenersOf, object, parseDump, text, type ConfigDump, type Json } from "./proxy-config/dump.ts";

/** `x authz check`: which authorization policies a proxy enforces, as its configuration says. */
export function authzCommand(): Command {
  const check = withGlobals(new Command("check"))
    .description("Authorization policies in force at a proxy, read from its configuration")
    .argument("[pod...]", "[<type>/]<name>[.<namespace>]")
    .option("-f, --file <string>", "a config dump in a file")
    .addOption(adminPortOption());
  check.action(async (pods: string[], { file, proxyAdminPort }: { file?: string; proxyAdminPort: number }) => {
    if (pods.length > 1) {
      process.stderr.write(`${usageText(check)}\n`);
      throw new ChainmailError("USAGE", "check requires only <pod-name>[.<pod-namespace>]");
    }
    requirePort(proxyAdminPort);
    process.stdout.write(authzTable(file === undefined ? await podDump(check, pods[0], proxyAdminPort) : fileDump(file)));
  });
  withHelp(check, {
    use: "[<type>/]<name>[.<namespace>]",
    example: "  istioctl x authz check deployment/web-api\n  istioctl x authz check -f config_dump.json",
  });
  return group(withGlobals(new Command("authz")).description("Authorization policies")).addCommand(check);
}

function fileDump(path: string): ConfigDump {
  try {
    return parseDump(readFileSync(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof ChainmailError ? errorText(cause) : fileError(path, cause);
    throw new ChainmailError("FILE_UNREADABLE", `failed to get config dump from file ${path}: ${reason}`, { cause });
  }
}

async function podDump(command: Command, argument: string | undefined, port: number): Promise<ConfigDump> {
  if (argument === undefined) throw new ChainmailError("USAGE", "expecting pod name or config dump, found: 0");
  const kube = await openKube(globalsOf(command));
  const pod = await resolvePod(kube, argument);
  try {
    return parseDump((await kube.request(pod, port, "GET", "config_dump")).body);
  } catch (cause) {
    throw new ChainmailError("PROXY_REQUEST_FAILED", `failed to get config dump from pod ${pod.name} in ${pod.namespace}`, { cause });
  }
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
  const rows = ACTIONS.flatMap((action) =>
    [...(rules.get(action) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([policy, indices]) => [action, policy, String(indices.size)]),
  );
  return tabwriter([["ACTION", "AuthorizationPolicy", "RULES"], ...rows], 3);
}

/** RBAC filters of a listener, those of its HTTP connection managers included. */
function rbacFilters(listener: Json): Json[] {
  const chains = [...list(listener.filter_chains), object(listener.default_filter_chain)];
  return chains.flatMap(chainRbacFilters);
}

function chainRbacFilters(chain: Json): Json[] {
  const network = list(chain.filters).map(({ typed_config }) => object(typed_config));
  const http = network.flatMap(({ http_filters }) => list(http_filters).map(({ typed_config }) => object(typed_config)));
  return [...network, ...http].filter((config) => RBAC_TYPES.has(text(config["@type"])));
}
