import { Command } from "commander";
import type { DiscoveryResponse } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { marshalIndent } from "./format/go-json.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { openKube, type KubeAccess } from "./kube-access.ts";
import { CommandParseError, withHelp } from "./line/index.ts";
import { withXdsFlags, type XdsOptions } from "./xds-flags.ts";
import { ChainmailError } from "../../base/index.ts";

interface DebugOptions extends XdsOptions {
  readonly list: boolean;
  readonly all: boolean;
}

const DEBUG_TYPE = "istio.io/debug";

/** `x internal-debug`: a debug page of istiod, asked over xDS. */
export function internalDebugCommand(): Command {
  const command = withGlobals(new Command("internal-debug"))
    .summary("A debug page of istiod")
    .description("Asks istiod for one of its debug pages, over xDS with a token of the cluster.")
    .argument("[page]")
    .option("-L, --list", "name the pages", false)
    .option("--all", "ask every replica of istiod", false)
    .option("-r, --revision <string>", "revision of the control plane");
  withXdsFlags(command);
  command.action(async (page: string | undefined, options: DebugOptions) => {
    if (page === undefined && !options.list) throw new CommandParseError("debug type is required, you can specify --list flag to list supported debug types");
    process.stdout.write(await debugPage(await openKube(globalsOf(command)), page ?? "list", options));
  });
  return withHelp(command, { example: "  istioctl x internal-debug syncz\n  istioctl x internal-debug --list", use: "[<type>/]<name>[.<namespace>]" });
}

async function debugPage(kube: KubeAccess, page: string, { all, ...xds }: DebugOptions): Promise<string> {
  const { askIstiod } = await import("./istiod-xds.ts");
  const ask = async (name: string): Promise<DiscoveryResponse[]> => {
    const answers = await askIstiod(kube, DEBUG_TYPE, [name], xds);
    return all ? answers : answers.slice(0, 1);
  };
  const answers = await ask(page);
  const texts = answers.flatMap(({ resources }) => resources.map(({ value }) => Buffer.from(value).toString("utf8")));
  if (texts.some((text) => text.includes("You must provide a proxyID in the query string")))
    throw new ChainmailError("USAGE", " You must provide a proxyID in the query string, e.g. [edsz?proxyID=istio-ingressgateway]");
  if (!texts.some((text) => text.includes("404 page not found"))) return debugText(answers, all);
  return `error: according to below command list, please check all supported internal debug commands\n${debugText(await ask("list"), all)}`;
}

/** Pages as they are, indented where they are JSON; of all replicas, one document by replica. */
export function debugText(answers: readonly DiscoveryResponse[], all: boolean): string {
  const pages = answers.flatMap((answer) =>
    answer.resources.map(({ value }) => ({ id: answer.controlPlane?.identifier ?? "", text: Buffer.from(value).toString("utf8") })),
  );
  if (all) return `${marshalIndent(Object.fromEntries(pages.map(({ id, text }) => [replicaName(id), parsed(text) ?? text])), "  ")}\n`;
  return pages.map(({ text }) => `${parsed(text) === undefined ? text : marshalIndent(parsed(text), "  ")}\n`).join("");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function replicaName(identifier: string): string {
  const value = parsed(identifier);
  return typeof value === "object" && value !== null && "ID" in value ? String(value.ID) : identifier;
}
