import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
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
import { resolvePod } from "./pods.ts";
import { compareProxy } from "./proxy-diff.ts";

interface StatusOptions {
  readonly output: string;
  readonly verbosity: string;
  readonly file?: string;
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
    .description("how far each proxy is with its configuration")
    .argument("[pod]", "compare one proxy's configuration with the control plane's: [<type>/]<name>[.<namespace>]")
    .option("-o, --output <format>", "table, json or yaml", "table")
    .option("-v, --verbosity <level>", "1 shows every type's state", "0")
    .option("-f, --file <path>", "the proxy's config dump from a file");
  return command.action(async (argument: string | undefined, options: StatusOptions) => {
    const kube = await openKube(globalsOf(command));
    if (argument !== undefined) {
      process.stdout.write(await compareProxy(kube, await resolvePod(kube, argument), options.file));
      return;
    }
    const answers = await askIstiod(kube, SYNCZ);
    if (options.output === "json" || options.output === "yaml") process.stdout.write(await statusDocument(answers, options.output));
    else if (options.output === "table") process.stdout.write(statusTable(answers, Number(options.verbosity) > 0));
    else throw new ChainmailError("USAGE", `output format ${JSON.stringify(options.output)} not supported`);
  });
}

/** One row a proxy, by name. */
export function statusTable(answers: readonly DiscoveryResponse[], verbose: boolean, now = Date.now()): string {
  const proxies = answers
    .flatMap((answer) => answer.resources.map((any) => ({ config: fromBinary(ClientConfigSchema, any.value), istiod: istiodOf(answer) })))
    .sort((a, b) => (nameOf(a.config) < nameOf(b.config) ? -1 : 1));
  if (!verbose) {
    const rows = proxies.map(({ config, istiod }) => {
      const subscribed = TYPES.filter(([url]) => config.genericXdsConfigs.some((entry) => entry.typeUrl === url)).map(([, name]) => name);
      return [nameOf(config), metadataOf(config, "CLUSTER_ID"), istiod, metadataOf(config, "ISTIO_VERSION"), `${subscribed.length} (${subscribed.join(",")})`];
    });
    return tabwriter([["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"], ...rows], 5);
  }
  const shown = TYPES.filter(([url, name]) => !["SDS", "NDS"].includes(name) || proxies.some(({ config }) => config.genericXdsConfigs.some((entry) => entry.typeUrl === url))).sort(([, a], [, b]) => (a < b ? -1 : 1));
  const rows = proxies.map(({ config, istiod }) => {
    const states = shown.map(([url]) => stateOf(config, url, now));
    return [nameOf(config), metadataOf(config, "CLUSTER_ID"), ...states, istiod, metadataOf(config, "ISTIO_VERSION")];
  });
  return tabwriter([["NAME", "CLUSTER", ...shown.map(([, name]) => name), "ISTIOD", "VERSION"], ...rows], 5);
}

/** The answers as they came, one after the other. */
export async function statusDocument(answers: readonly DiscoveryResponse[], format: "json" | "yaml"): Promise<string> {
  const registry = await loadRegistry();
  const documents = answers.map((answer) => jsonpb(DiscoveryResponseSchema, answer, registry));
  return documents.map((json) => (format === "json" ? `${json}\n` : goYaml(JSON.parse(json)))).join("");
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
