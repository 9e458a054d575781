import { Command } from "commander";
import { createServer, type Server, type Socket } from "node:net";
import { ChainmailError, errorText } from "../../base/index.ts";
import { isNotFound, PODS } from "../../kube/index.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { group, intOption, usageText, withHelp } from "./line/index.ts";
import { openKube, type KubeAccess, type PodRef } from "./kube-access.ts";
import { resolvePod } from "./pods.ts";

interface DashboardOptions {
  readonly port: number;
  readonly address: string;
  readonly browser: boolean;
  readonly uiPort: number;
}

/** A dashboard that is found by a label in the control plane's namespace. */
interface Dashboard {
  readonly name: string;
  readonly selector: string;
  readonly port: number;
  readonly path: string;
  /** The console's page that does the same job, where the program itself is not there. */
  readonly consolePath?: string;
}

const POD_USE = "[<type>/]<name>[.<namespace>]";

const KIALI: Dashboard = { name: "kiali", selector: "app=kiali", port: 20001, path: "/kiali" };
const DASHBOARDS: readonly Dashboard[] = [
  { name: "prometheus", selector: "app.kubernetes.io/name=prometheus", port: 9090, path: "" },
  { name: "grafana", selector: "app.kubernetes.io/name=grafana", port: 3000, path: "", consolePath: "/overview" },
  KIALI,
  { name: "jaeger", selector: "app=jaeger", port: 16686, path: "", consolePath: "/traces" },
  { name: "zipkin", selector: "app=zipkin", port: 9411, path: "", consolePath: "/traces" },
  { name: "skywalking", selector: "app=skywalking-ui", port: 8080, path: "" },
];

/** `istioctl dashboard`: a local port that leads to a page in the cluster, and a browser on it. */
export function dashboardCommand(): Command {
  const root = group(
    withGlobals(new Command("dashboard")).aliases(["dash", "d"]).description("Access to the mesh's web pages"),
    (word) => `unknown dashboard ${JSON.stringify(word)}`,
  );
  withHelp(pageOptions(root), { runnable: true, hides: ["--istioNamespace", "--namespace"] });
  for (const dashboard of DASHBOARDS) {
    const command = dashboardOptions(new Command(dashboard.name), `the ${dashboard.name} page`).addOption(
      intOption("--ui-port <int>", "port of the page in the pod", dashboard.port),
    );
    withHelp(command, { example: `  istioctl dashboard ${dashboard.name}\n  istioctl dash ${dashboard.name}` });
    root.addCommand(
      command.action(async (options: DashboardOptions) => {
        const kube = await openKube(globalsOf(command));
        const found = await findDashboard(kube, dashboard, options.uiPort);
        await open(kube, found.pod, found.port, found.path, options);
      }),
    );
  }
  for (const [name, summary] of [
    ["proxy", "the admin page of the proxy in a pod"],
    ["envoy", "the same as proxy"],
  ] as const) {
    const command = dashboardOptions(new Command(name), summary)
      .argument("[pod...]", POD_USE)
      .option("-l, --selector <string>", "a pod by labels")
      .addOption(intOption("--ui-port <int>", "the proxy's admin port", 15000));
    root.addCommand(
      withHelp(command, {
        use: POD_USE,
        example: `  istioctl dashboard ${name} productpage-123-456.default\n  istioctl dash ${name} deployment/web-api -n istioinaction`,
      }).action(async ([argument]: string[], options: DashboardOptions & { selector?: string }) => {
        requireOne(command, [argument, options.selector], ["a pod", "--selector"]);
        const kube = await openKube(globalsOf(command));
        const pod = argument === undefined ? await findPod(kube, options.selector ?? "", kube.namespace) : await resolvePod(kube, argument);
        await open(kube, pod, options.uiPort, "", options);
      }),
    );
  }
  for (const name of ["istiod-debug", "controlz"]) {
    const command = dashboardOptions(new Command(name), "the control plane's debug pages")
      .argument("[pod...]", POD_USE)
      .option("-l, --selector <string>", "a pod of istiod by further labels")
      .option("-r, --revision <string>", "revision of the control plane");
    if (name === "controlz") command.addOption(intOption("--ctrlz_port <int>", "accepted: istiod has its debug pages instead", 9876));
    root.addCommand(
      withHelp(command, {
        use: POD_USE,
        example: `  istioctl dashboard ${name} istiod-123-456.istio-system\n  istioctl dash ${name} --revision default`,
      }).action(async ([argument]: string[], options: DashboardOptions & { selector?: string; revision?: string }) => {
        const { selector, revision } = options;
        requireOne(command, [argument, selector, revision], ["a pod", "--selector", "--revision"]);
        const kube = await openKube(globalsOf(command));
        const labels = revision === undefined ? selector : `istio.io/rev=${revision}`;
        const pod =
          argument === undefined ? await findPod(kube, `${labels},app=istiod`) : await resolvePod({ ...kube, namespace: kube.istioNamespace }, argument);
        await open(kube, pod, 15014, "/debug", options);
      }),
    );
  }
  return root;
}

/** Throws when not exactly one way to name a pod was used. */
function requireOne(command: Command, given: readonly (string | undefined)[], ways: readonly string[]): void {
  const count = given.filter((one) => one !== undefined).length;
  if (count === 1) return;
  process.stderr.write(`${usageText(command)}\n`);
  const [last, ...others] = [...ways].reverse();
  const choice = ways.length > 2 ? `${others.reverse().join(", ")}, or ${last}` : ways.join(" or ");
  if (count === 0) throw new ChainmailError("USAGE", `specify ${choice}`);
  throw new ChainmailError(
    "USAGE",
    ways.length > 2 ? `only one of ${choice.replace("a pod", "name")} can be specified` : "name cannot be provided when a selector is specified",
  );
}

function dashboardOptions(command: Command, summary: string): Command {
  return pageOptions(withGlobals(command).description(summary));
}

function pageOptions(command: Command): Command {
  return command
    .addOption(intOption("-p, --port <int>", "local port; 0 takes the page's own, or any when that is taken", 0))
    .option("--address <string>", "local address", "localhost")
    .option("--browser", "open a browser", true)
    .option("--no-browser", "open none");
}

/** The dashboard's own pod, or the console where it has a page for the same. */
async function findDashboard(kube: KubeAccess, { selector, path, consolePath }: Dashboard, port: number): Promise<{ pod: PodRef; port: number; path: string }> {
  try {
    return { pod: await findPod(kube, selector), port, path };
  } catch (thrown) {
    if (consolePath === undefined || !(thrown instanceof ChainmailError) || thrown.code !== "NO_PODS") throw thrown;
    const pod = await findPod(kube, KIALI.selector).catch(() => undefined);
    if (!pod) throw thrown;
    return { pod, port: KIALI.port, path: `${KIALI.path}${consolePath}` };
  }
}

/** The first pod that a label names, in the control plane's namespace and then in the user's own. */
async function findPod(kube: KubeAccess, selector: string, namespace = kube.istioNamespace): Promise<PodRef> {
  for (const place of new Set([namespace, kube.namespace])) {
    const { items } = await kube.client.list(PODS, { namespace: place, labelSelector: selector });
    const pod = items.find(({ status }) => (status as { phase?: string } | undefined)?.phase === "Running") ?? items[0];
    if (pod) return { name: pod.metadata.name, namespace: place };
  }
  throw new ChainmailError("NO_PODS", `no pods found with selector ${selector}`);
}

async function open(kube: KubeAccess, pod: PodRef, remotePort: number, path: string, options: DashboardOptions): Promise<void> {
  // A pod that is not there is told now, and not to a browser's first request.
  await kube.client.get(PODS, pod.name, pod.namespace).catch((cause: unknown) => {
    throw isNotFound(cause)
      ? new ChainmailError(
          "PORT_FORWARD_FAILED",
          `failure running port forward process: failure running port forward process: building port forwarded: failed retrieving: ${errorText(cause)} in the ${JSON.stringify(pod.namespace)} namespace`,
          { cause },
        )
      : cause;
  });
  const server = await listen(options.address, options.port, remotePort);
  const local = server.address();
  const port = typeof local === "object" && local ? local.port : remotePort;
  server.on("connection", (socket: Socket) => void tunnel(kube, pod, remotePort, socket));
  const url = `http://${options.address}:${port}${path}`;
  process.stdout.write(`${url}\n`);
  if (options.browser) openBrowser(url);
  else process.stdout.write("skipping opening a browser");
  const { promise: interrupted, resolve } = Promise.withResolvers<void>();
  process.once("SIGINT", resolve);
  process.once("SIGTERM", resolve);
  await interrupted;
  server.close();
  process.exit(0);
}

/** Each connection gets a tunnel of its own; a page that goes away ends the connection, not the command. */
async function tunnel(kube: KubeAccess, pod: PodRef, port: number, socket: Socket): Promise<void> {
  socket.on("error", () => socket.destroy());
  try {
    const remote = await kube.connect(pod, port);
    remote.on("error", () => socket.destroy());
    remote.on("close", () => socket.end());
    socket.on("close", () => remote.destroy());
    socket.pipe(remote);
    remote.pipe(socket);
  } catch (error) {
    process.stderr.write(`\n${errorText(error)}\n`);
    socket.destroy();
  }
}

/** The wanted port; without a wish the page's own, and any free one when that is taken. */
async function listen(address: string, wanted: number, preferred: number): Promise<Server> {
  // As istioctl: "localhost" is both loopback addresses to a browser, and the IPv4 one is enough.
  const host = address === "localhost" ? "127.0.0.1" : address;
  try {
    return await bind(host, wanted || preferred);
  } catch (cause) {
    if (wanted)
      throw new ChainmailError("PORT_TAKEN", `unable to listen on ${address}:${wanted}: ${errorText(cause)}`, {
        cause,
        hint: "choose another port with -p, or 0 for any",
      });
    return bind(host, 0);
  }
}

function bind(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true });
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

/** Best effort, as istioctl's: a machine without a browser has the address on its terminal. */
function openBrowser(url: string): void {
  const command = process.platform === "darwin" ? ["open", url] : ["xdg-open", url];
  const program = Bun.which(command[0] ?? "");
  if (!program) {
    process.stdout.write(`Unable to find a browser; open ${url} yourself.\n`);
    return;
  }
  Bun.spawn({ cmd: [program, url], stdout: "ignore", stderr: "ignore" }).unref();
}
