import { Command } from "commander";
import { readFileSync } from "node:fs";
import { ChainmailError, errorText } from "../../../base/index.ts";
import { fileError } from "../format/file-error.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { openKube } from "../kube-access.ts";
import { resolvePod } from "../pods.ts";
import { allTables } from "./all.ts";
import { bootstrapSummary } from "./bootstrap.ts";
import { clusterTable, selectClusters } from "./clusters.ts";
import { parseDump, parseObject, section } from "./dump.ts";
import { ecdsTable } from "./ecds.ts";
import { edsTable, endpointTable, selectAssignments, selectClusterStatuses } from "./endpoints.ts";
import { listenerTable, selectListeners } from "./listeners.ts";
import { adminPortOption, group, intOption, usageText, withHelp } from "../line/index.ts";
import { logCommand } from "./log.ts";
import { printMessage, printMessages, printRaw } from "./messages.ts";
import { routeTable, selectRoutes } from "./routes.ts";
import { rootcaCompareCommand } from "./rootca-compare.ts";
import { secretTable } from "./secrets.ts";

/** What a subcommand of proxy-config is made of. */
interface Kind {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** Path of the admin page. */
  readonly page: string;
  readonly flags: readonly (keyof typeof FLAGS)[];
  readonly defaultOutput: "short" | "json";
  readonly print: (text: string, options: Options, output: "short" | "json" | "yaml") => string | Promise<string>;
}

interface Options {
  readonly file?: string;
  readonly output: string;
  readonly proxyAdminPort: number;
  readonly verbose: boolean;
  readonly withHeaders: boolean;
  readonly fqdn?: string;
  readonly direction?: string;
  readonly subset?: string;
  readonly port?: number;
  readonly address?: string;
  readonly type?: string;
  readonly name?: string;
  readonly cluster?: string;
  readonly status?: string;
}

const POD_USE = "[<type>/]<name>[.<namespace>]";

const FLAGS = {
  fqdn: ["--fqdn <string>", "clusters whose name has this"],
  direction: ["--direction <string>", "clusters of this direction: inbound or outbound"],
  subset: ["--subset <string>", "clusters of this subset"],
  port: ["--port <int>", "entries with this port"],
  address: ["--address <string>", "entries with this address"],
  type: ["--type <string>", "listeners of this type: HTTP, TCP, HTTP+TCP"],
  name: ["--name <string>", "routes of this name"],
  cluster: ["--cluster <string>", "endpoints of this cluster"],
  status: ["--status <string>", "endpoints in this state: healthy or unhealthy"],
} as const;

const pick = <K extends keyof Options>(options: Options, ...keys: K[]): Partial<Pick<Options, K>> =>
  Object.fromEntries(keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]))) as Partial<Pick<Options, K>>;

const KINDS: readonly Kind[] = [
  {
    name: "all",
    aliases: ["a"],
    summary: "Everything that the proxy in a pod is configured with",
    page: "config_dump?include_eds=true",
    flags: ["fqdn", "direction", "subset", "port", "address", "type", "name"],
    defaultOutput: "short",
    print(text, options, output) {
      if (output !== "short") return printRaw(text, output);
      const filters = {
        clusters: { ...pick(options, "fqdn", "direction", "subset", "port") },
        listeners: { ...pick(options, "address", "type", "port") },
        route: options.name,
        endpoints: { ...pick(options, "address", "port") },
      };
      return allTables(parseDump(text), filters, { verbose: options.verbose, headers: options.withHeaders, now: Date.now() });
    },
  },
  {
    name: "bootstrap",
    aliases: ["b"],
    summary: "What the proxy in a pod was started with",
    page: "config_dump?mask=bootstrap",
    flags: [],
    defaultOutput: "json",
    print(text, _, output) {
      const dump = parseDump(text);
      return output === "short" ? bootstrapSummary(dump) : printMessage("envoy.admin.v3.BootstrapConfigDump", section(dump, "BootstrapConfigDump"), output);
    },
  },
  {
    name: "cluster",
    aliases: ["clusters", "c"],
    summary: "Clusters of the proxy in a pod",
    page: "config_dump?mask=dynamic_active_clusters,dynamic_warming_clusters,static_clusters",
    flags: ["fqdn", "direction", "subset", "port"],
    defaultOutput: "short",
    print(text, options, output) {
      const filter = { ...pick(options, "fqdn", "direction", "subset", "port") };
      const dump = parseDump(text);
      return output === "short" ? clusterTable(dump, filter) : printMessages("envoy.config.cluster.v3.Cluster", selectClusters(dump, filter), output);
    },
  },
  {
    name: "ecds",
    aliases: ["ec"],
    summary: "Extension configurations of the proxy in a pod",
    page: "config_dump?include_eds=true",
    flags: [],
    defaultOutput: "short",
    print(text, _, output) {
      const dump = parseDump(text);
      return output === "short" ? ecdsTable(dump) : printMessage("envoy.admin.v3.EcdsConfigDump", section(dump, "EcdsConfigDump"), output);
    },
  },
  {
    name: "eds",
    aliases: [],
    summary: "Endpoints of the proxy in a pod, as the control plane assigned them",
    page: "config_dump?include_eds=true",
    flags: ["address", "port", "cluster", "status"],
    defaultOutput: "short",
    print(text, options, output) {
      const dump = parseDump(text);
      const filter = { ...pick(options, "address", "cluster", "status", "port") };
      return output === "short"
        ? edsTable(dump, filter, false)
        : printMessages("envoy.config.endpoint.v3.ClusterLoadAssignment", selectAssignments(dump, filter), output);
    },
  },
  {
    name: "endpoint",
    aliases: ["endpoints", "ep"],
    summary: "Endpoints of the proxy in a pod, with their health",
    page: "clusters?format=json",
    flags: ["address", "port", "cluster", "status"],
    defaultOutput: "short",
    print(text, options, output) {
      const filter = { ...pick(options, "address", "cluster", "status", "port") };
      const clusters = parseObject(text);
      return output === "short"
        ? endpointTable(clusters, filter)
        : printMessages("envoy.admin.v3.ClusterStatus", selectClusterStatuses(clusters, filter), output);
    },
  },
  {
    name: "listener",
    aliases: ["listeners", "l"],
    summary: "Listeners of the proxy in a pod",
    page: "config_dump?mask=dynamic_listeners,static_listeners",
    flags: ["address", "port", "type"],
    defaultOutput: "short",
    print(text, options, output) {
      const filter = { ...pick(options, "address", "type", "port") };
      const dump = parseDump(text);
      return output === "short"
        ? listenerTable(dump, filter, { verbose: options.verbose })
        : printMessages("envoy.config.listener.v3.Listener", selectListeners(dump, filter), output);
    },
  },
  {
    name: "route",
    aliases: ["routes", "r"],
    summary: "Routes of the proxy in a pod",
    page: "config_dump?mask=dynamic_route_configs,static_route_configs",
    flags: ["name"],
    defaultOutput: "short",
    print(text, options, output) {
      const dump = parseDump(text);
      return output === "short"
        ? routeTable(dump, options.name, { verbose: options.verbose })
        : printMessages("envoy.config.route.v3.RouteConfiguration", selectRoutes(dump, options.name), output);
    },
  },
  {
    name: "secret",
    aliases: ["secrets", "s"],
    summary: "Certificates of the proxy in a pod",
    page: "config_dump?mask=dynamic_active_secrets,dynamic_warming_secrets",
    flags: [],
    defaultOutput: "short",
    print(text, _, output) {
      const dump = parseDump(text);
      return output === "short" ? secretTable(dump, Date.now()) : printMessage("envoy.admin.v3.SecretsConfigDump", section(dump, "SecretsConfigDump"), output);
    },
  },
];

/** `istioctl proxy-config`, also `pc`. */
export function proxyConfigCommand(): Command {
  const root = group(withGlobals(new Command("proxy-config").alias("pc").description("Configuration of the proxy in a pod")))
    .option("-o, --output <string>", "json, yaml or short", "short")
    .addOption(adminPortOption());
  withHelp(root, { example: "  istioctl proxy-config cluster <pod-name[.namespace]>\n  istioctl proxy-config secret deploy/web-api -n istioinaction -o json" });
  // Istio has no eds of its own in its help any more.
  for (const kind of KINDS) root.addCommand(kindCommand(kind), { hidden: kind.name === "eds" });
  root.addCommand(logCommand());
  root.addCommand(rootcaCompareCommand());
  return root;
}

/** Whose tables have more or fewer columns. */
const VERBOSE_KINDS = new Set(["all", "listener", "route"]);

function kindCommand(kind: Kind): Command {
  const command = withGlobals(new Command(kind.name))
    .aliases([...kind.aliases])
    .description(kind.summary)
    .argument("[pod...]", "[<type>/]<name>[.<namespace>]")
    .option("-f, --file <string>", "a dump in a file instead of a pod; - is stdin")
    .option("-o, --output <string>", "json, yaml or short", kind.defaultOutput)
    .addOption(adminPortOption());
  if (VERBOSE_KINDS.has(kind.name)) command.option("--verbose", "every match and destination", true).option("--no-verbose", "one line an entry");
  if (kind.name === "all") command.option("--with-headers", "a title over each table", false);
  for (const name of kind.flags) {
    if (name === "port") command.addOption(intOption(...FLAGS.port));
    else command.option(FLAGS[name][0], FLAGS[name][1]);
  }
  command.action(async (pods: string[], options: Options) => {
    const [pod] = pods;
    if ((pods.length === 1) === (options.file !== undefined)) {
      process.stderr.write(`${usageText(command)}\n`);
      throw new ChainmailError("USAGE", `${kind.name} requires pod name or --file parameter`);
    }
    const { output } = options;
    if (output !== "short" && output !== "json" && output !== "yaml")
      throw new ChainmailError("USAGE", `output format ${JSON.stringify(output)} not supported`);
    const text = options.file === undefined ? await fetchPage(command, pod ?? "", kind.page, options) : readDump(options.file);
    process.stdout.write(await kind.print(text, options, output));
  });
  return withHelp(command, {
    use: POD_USE,
    own: ["--output"],
    example: `  istioctl proxy-config ${kind.name} deploy/web-api -n istioinaction\n  istioctl proxy-config ${kind.name} -f dump.json`,
  });
}

function readDump(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw new ChainmailError("FILE_UNREADABLE", fileError(path, cause), { cause });
  }
}

async function fetchPage(command: Command, argument: string, page: string, options: Options): Promise<string> {
  const kube = await openKube(globalsOf(command));
  const pod = await resolvePod(kube, argument);
  try {
    return (await kube.request(pod, options.proxyAdminPort, "GET", page)).body;
  } catch (cause) {
    throw new ChainmailError("PROXY_REQUEST_FAILED", `failed to execute command on ${pod.name}.${pod.namespace} sidecar: ${errorText(cause)}`, { cause });
  }
}
