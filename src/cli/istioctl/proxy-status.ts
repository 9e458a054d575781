import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampMs, type Any } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { ClientConfigSchema, ConfigStatus, type ClientConfig } from "../../proto/gen/envoy/service/status/v3/csds_pb.ts";
import { DiscoveryResponseSchema, type DiscoveryResponse } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { loadRegistry, XDS_TYPES } from "../../proto/index.ts";
import { humanDuration } from "../../resources/index.ts";
import { jsonpb } from "./format/go-json.ts";
import { goYaml } from "./format/go-yaml.ts";
import { tabwriter } from "./format/tabwriter.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { askIstiod } from "./istiod-xds.ts";
import { openKube } from "./kube-access.ts";
import { adminPortOption, intOption, requirePort, withHelp } from "./line/index.ts";
import { resolvePod } from "./pods.ts";
import { compareProxy } from "./proxy-diff.ts";
import { withXdsFlags, type XdsOptions } from "./xds-flags.ts";

interface StatusOptions extends XdsOptions {
  readonly output: string;
  readonly verbosity: number;
  readonly file?: string;
  readonly proxyAdminPort: number;
}

interface TableOptions {
  /** Every type's state instead of the names of those that a proxy takes. */
  readonly verbose?: boolean;
  /** Only proxies of this namespace. */
  readonly namespace?: string | undefined;
  /** Milliseconds since 1970. */
  readonly now?: number;
}

const SYNCZ = "istio.io/debug/syncz";
/** Order in which types are named. */
const TYPES: readonly (readonly [url: string, name: string])[] = [
  [XDS_TYPES.CDS, "CDS"],
  [XDS_TYPES.LDS, "LDS"],
  [XDS_TYPES.EDS, "EDS"],
  [XDS_TYPES.RDS, "RDS"],
  [XDS_TYPES.ECDS, "ECDS"],
  [XDS_TYPES.SDS, "SDS"],
  [XDS_TYPES.NDS, "NDS"],
];

/** `istioctl proxy-status`, also `ps`: what each proxy has of what it was sent. */
export function proxyStatusCommand(): Command {
  const command = withGlobals(new Command("proxy-status"))
    .alias("ps")
    .description("How far each proxy is with its configuration, or where one differs from what the control plane would send it")
    .argument("[pod...]", "[<type>/]<name>[.<namespace>]")
    .option("-o, --output <string>", "table, json or yaml", "table")
    .addOption(intOption("-v, --verbosity <int>", "1 shows every type's state", 0))
    .option("--file <string>", "the proxy's config dump from a file")
    .option("-r, --revision <string>", "revision of the control plane")
    .addOption(adminPortOption());
  withXdsFlags(command);
  command.action(async ([argument]: string[], options: StatusOptions) => {
    requirePort(options.proxyAdminPort);
    const globals = globalsOf(command);
    const kube = await openKube(globals);
    if (argument !== undefined) {
      process.stdout.write(await compareProxy(kube, await resolvePod(kube, argument), options));
      return;
    }
    const answers = await askIstiod(kube, SYNCZ, [], options);
    const { namespace } = globals;
    if (options.output === "json" || options.output === "yaml") process.stdout.write(await statusDocument(answers, options.output, namespace));
    else if (options.output === "table") process.stdout.write(statusTable(answers, { verbose: options.verbosity > 0, namespace }));
    else throw new ChainmailError("USAGE", `output format ${JSON.stringify(options.output)} not supported`);
  });
  return withHelp(command, {
    use: "[<type>/]<name>[.<namespace>]",
    example: "  istioctl proxy-status\n  istioctl proxy-status -n istioinaction\n  istioctl proxy-status deploy/web-api.istioinaction",
  });
}

/** One row a proxy, by name. */
export function statusTable(answers: readonly DiscoveryResponse[], { verbose = false, namespace, now = Date.now() }: TableOptions = {}): string {
  const proxies = answers
    .flatMap((answer) => answer.resources.map((any) => ({ config: fromBinary(ClientConfigSchema, any.value), istiod: istiodOf(answer) })))
    .filter(({ config }) => namespace === undefined || metadataOf(config, "NAMESPACE") === namespace)
    .sort((a, b) => (nameOf(a.config) < nameOf(b.config) ? -1 : 1));
  if (!verbose) {
    const rows = proxies.map(({ config, istiod }) => {
      const subscribed = TYPES.filter(([url]) => config.genericXdsConfigs.some((entry) => entry.typeUrl === url)).map(([, name]) => name);
      return [nameOf(config), metadataOf(config, "CLUSTER_ID"), istiod, metadataOf(config, "ISTIO_VERSION"), `${subscribed.length} (${subscribed.join(",")})`];
    });
    return tabwriter([["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"], ...rows], 5);
  }
  const shown = TYPES.filter(
    ([url, name]) => !["SDS", "NDS"].includes(name) || proxies.some(({ config }) => config.genericXdsConfigs.some((entry) => entry.typeUrl === url)),
  ).sort(([, a], [, b]) => (a < b ? -1 : 1));
  const rows = proxies.map(({ config, istiod }) => {
    const states = shown.map(([url]) => stateOf(config, url, now));
    return [nameOf(config), metadataOf(config, "CLUSTER_ID"), ...states, istiod, metadataOf(config, "ISTIO_VERSION")];
  });
  return tabwriter([["NAME", "CLUSTER", ...shown.map(([, name]) => name), "ISTIOD", "VERSION"], ...rows], 5);
}

/** The answers as they came, one after the other, each with an empty line after it in YAML. */
export async function statusDocument(answers: readonly DiscoveryResponse[], format: "json" | "yaml", namespace?: string): Promise<string> {
  const registry = await loadRegistry();
  const inside = ({ value }: Any): boolean => namespace === undefined || metadataOf(fromBinary(ClientConfigSchema, value), "NAMESPACE") === namespace;
  const documents = answers.map((answer) =>
    jsonpb(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { ...answer, resources: answer.resources.filter(inside) }), registry),
  );
  return documents.map((json) => `${format === "json" ? json : goYaml(JSON.parse(json))}\n`).join("");
}

function nameOf(config: ClientConfig): string {
  return config.node?.id ?? "";
}

function metadataOf(config: ClientConfig, key: string): string {
  const value = config.node?.metadata?.[key];
  return typeof value === "string" ? value : "";
}

const STATES: Partial<Record<ConfigStatus, string>> = {
  [ConfigStatus.SYNCED]: "SYNCED",
  [ConfigStatus.STALE]: "STALE",
  [ConfigStatus.NOT_SENT]: "NOT SENT",
  [ConfigStatus.ERROR]: "ERROR",
};

/** The state, and how long ago it was last told. */
function stateOf(config: ClientConfig, typeUrl: string, now: number): string {
  const entry = config.genericXdsConfigs.find((candidate) => candidate.typeUrl === typeUrl);
  if (!entry) return "IGNORED";
  const age = entry.lastUpdated ? ` (${humanDuration(now - timestampMs(entry.lastUpdated))})` : "";
  return `${STATES[entry.configStatus] ?? "UNKNOWN"}${age}`;
}

function istiodOf(answer: DiscoveryResponse): string {
  try {
    const identifier: unknown = JSON.parse(answer.controlPlane?.identifier ?? "{}");
    return typeof identifier === "object" && identifier !== null && "ID" in identifier ? String(identifier.ID) : "";
  } catch {
    return answer.controlPlane?.identifier ?? "";
  }
}
