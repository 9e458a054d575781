import { setDefaultTimeout } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createLogger } from "../../src/base/index.ts";
import { startNode, type Node, type ServiceNetwork, type Watched } from "../../src/cluster/network/index.ts";
import type { ContainerSpec, ContainerExit, ExecSpec, RunningContainer } from "../../src/cluster/runtime/index.ts";
import type { ContainerPort, EndpointSlice, KubeObject, Namespace, Pod, Service } from "../../src/resources/index.ts";

export const STATE_DIR = process.env["STATE_DIR"] ?? "";
export const OUTSIDE = process.env["OUTSIDE"] ?? "";
export const HOST_IP = process.env["HOST_IP"] ?? "";
const ROOT_MODES = ["disk", "memory", "copy"] as const;
/** How images' roots are to be had; undefined: as the node finds best. */
export const ROOT_MODE = ROOT_MODES.find((mode) => mode === process.env["ROOT_MODE"]);
export const LOOPBACK = "127.77.1.1";
const PROGRAM = process.env["POD_PROGRAM"] ?? "";
export const BUN = "/opt/chainmail/bun";
export const POD_PROGRAM = "/opt/chainmail/pod-program.js";

class FakeWatch<T> implements Watched<T> {
  readonly #listeners: Parameters<Watched<T>["onChange"]>[0][] = [];
  onChange(listener: Parameters<Watched<T>["onChange"]>[0]): () => void {
    this.#listeners.push(listener);
    return () => {};
  }
  emit(object: T, type: "MODIFIED" | "DELETED" = "MODIFIED"): void {
    for (const listener of this.#listeners) listener({ type, object });
  }
}

/** A node with fakes where the API server would be, and short forms for what tests do most. */
export class TestNode {
  #starts = 0;
  private constructor(
    readonly node: Node,
    readonly network: ServiceNetwork,
    readonly services: FakeWatch<Service>,
    readonly slices: FakeWatch<EndpointSlice>,
    readonly pods: FakeWatch<Pod>,
    readonly namespaces: FakeWatch<Namespace>,
    readonly policies: FakeWatch<KubeObject>,
    readonly settled: () => Promise<void>,
    readonly logLines: string[],
  ) {}

  static async start(): Promise<TestNode> {
    const logLines: string[] = [];
    const node = await startNode({
      loopback: LOOPBACK,
      podCidr: "10.244.0.0/16",
      serviceCidr: "10.96.0.0/12",
      apiIp: "10.96.0.1",
      dnsIp: "10.96.0.10",
      clusterDomain: "cluster.local",
      stateDir: STATE_DIR,
      hiddenPaths: ["/usr/share"],
      upstreams: [],
      ...(ROOT_MODE ? { rootMode: ROOT_MODE } : {}),
      logger: createLogger("test", { level: "debug", write: (line) => void logLines.push(line) }),
      onFatal: (error) => {
        throw error;
      },
    });
    const services = new FakeWatch<Service>();
    const slices = new FakeWatch<EndpointSlice>();
    writeFileSync(
      `${STATE_DIR}/resolv.conf`,
      "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5 timeout:1 attempts:1\n",
    );
    writeFileSync(`${STATE_DIR}/hosts`, "127.0.0.1 localhost\n");
    const [pods, namespaces, policies] = [new FakeWatch<Pod>(), new FakeWatch<Namespace>(), new FakeWatch<KubeObject>()];
    const { settled } = node.followPods({ pods, namespaces, policies, synced: Promise.resolve() });
    return new TestNode(node, node.follow(services, slices), services, slices, pods, namespaces, policies, settled, logLines);
  }

  /** A pod's sandbox, which the API knows as a pod of that name and uid. */
  async pod(id: string, more: { namespace?: string; labels?: Record<string, string>; ports?: ContainerPort[] } = {}): Promise<string> {
    this.tell(id, more);
    return (await this.node.runtime.createSandbox({ id, hostname: id, hostNetwork: false })).ip;
  }

  /** The API's word of a pod, as it comes or changes. */
  tell(id: string, { namespace = "default", labels = { app: id }, ports = [] }: Parameters<TestNode["pod"]>[1] & object = {}): void {
    this.pods.emit({ apiVersion: "v1", kind: "Pod", metadata: { name: id, namespace, uid: id, labels }, spec: { containers: [{ name: "app", ports }] } });
  }

  /** A NetworkPolicy in force; without a spec it is taken back. */
  async policy(name: string, spec?: object, namespace = "default"): Promise<void> {
    const object = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, namespace }, spec: { podSelector: {}, ...spec } };
    this.policies.emit(object, spec ? "MODIFIED" : "DELETED");
    await this.settled();
  }

  /** The node's nftables, as nft prints them. */
  async tables(): Promise<string> {
    return this.node.rules();
  }

  spec(pod: string, argv: string[], more: Partial<ContainerSpec> = {}): ContainerSpec {
    const id = `${pod}/${++this.#starts}`;
    const mounts = [
      { hostPath: `${STATE_DIR}/resolv.conf`, containerPath: "/etc/resolv.conf", readOnly: true },
      { hostPath: `${STATE_DIR}/hosts`, containerPath: "/etc/hosts", readOnly: true },
      { hostPath: process.execPath, containerPath: BUN, readOnly: true },
      { hostPath: PROGRAM, containerPath: POD_PROGRAM, readOnly: true },
      ...(more.mounts ?? []),
    ];
    const base = { env: {}, workingDir: "/", uid: 1000, gid: 1000, readOnlyRoot: false, capabilities: "none" as const, tty: false, stdin: false };
    return { ...base, id, argv, logPath: `${STATE_DIR}/logs/${id}.log`, ...more, mounts };
  }

  async start(pod: string, argv: string[], more: Partial<ContainerSpec> = {}): Promise<RunningContainer> {
    return this.node.runtime.startContainer(pod, this.spec(pod, argv, more));
  }

  /** Starts a container, and gives its exit and its output, streams marked. */
  async run(pod: string, argv: string[], more: Partial<ContainerSpec> = {}): Promise<ContainerExit & { stdout: string; stderr: string }> {
    const spec = this.spec(pod, argv, more);
    const container = await this.node.runtime.startContainer(pod, spec);
    const exit = await container.exited;
    const log = readFileSync(spec.logPath, "utf8").split("\n");
    const of = (stream: string) => log.flatMap((line) => new RegExp(`^\\S+ ${stream} [FP] (.*)$`).exec(line)?.[1] ?? []).join("\n");
    return { ...exit, stdout: of("stdout"), stderr: of("stderr") };
  }

  /** The pods' own program. */
  program(pod: string, args: string[], more: Partial<ContainerSpec> = {}): Promise<ContainerExit & { stdout: string; stderr: string }> {
    return this.run(pod, [BUN, POD_PROGRAM, ...args], more);
  }

  async exec(
    containerId: string,
    argv: string[],
    more: Partial<ExecSpec> & { input?: string } = {},
  ): Promise<ContainerExit & { stdout: string; stderr: string }> {
    const { input, ...spec } = more;
    const child = await this.node.runtime.exec(containerId, { argv, tty: false, stdin: input !== undefined, ...spec });
    if (input !== undefined) {
      child.stdin?.write(Buffer.from(input));
      if (!spec.tty) child.stdin?.end();
    }
    const [stdout, stderr, exit] = await Promise.all([new Response(child.stdout).text(), child.stderr ? new Response(child.stderr).text() : "", child.exited]);
    return { ...exit, stdout, stderr };
  }

  /** A Service with its endpoints; resolves when the kernel follows. */
  async service(name: string, clusterIP: string, ips: string[], more: { nodePort?: number; sticky?: boolean } = {}): Promise<void> {
    const metadata = { name, namespace: "default" };
    const ports = [{ port: 80, targetPort: 8080, ...(more.nodePort === undefined ? {} : { nodePort: more.nodePort }) }];
    this.services.emit({ apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP, ports, sessionAffinity: more.sticky ? "ClientIP" : "None" } });
    this.slices.emit({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: ips.map((ip) => ({ addresses: [ip] })),
      ports: [{ port: 8080 }],
    });
    await this.network.settled();
  }
}

/** What most tests need: pods a, b and c; b and c serve. */
export interface Shared {
  node: TestNode;
  ips: { a: string; b: string; c: string };
  web: Record<string, { id: string; pid: number }>;
}

export const NODE_IP = "10.244.0.1";
/** Whether the machine gives containers the uid that they ask for. */
export const realUids = readFileSync("/proc/self/uid_map", "utf8").includes("4294967295");

export async function startShared(): Promise<Shared> {
  const node = await TestNode.start();
  const ips = { a: await node.pod("a"), b: await node.pod("b"), c: await node.pod("c") };
  const web: Shared["web"] = {};
  for (const pod of ["b", "c"]) web[pod] = await node.start(pod, [BUN, POD_PROGRAM, "serve", "8080", pod]);
  await node.service("web", "10.96.0.20", [ips.b, ips.c], { nodePort: 30080 });
  await node.service("only-b", "10.96.0.21", [ips.b]);
  await node.service("none", "10.96.0.22", []);
  await node.service("sticky", "10.96.0.23", [ips.b, ips.c], { sticky: true });
  for (const ip of [ips.b, ips.c]) await until(async () => (await node.node.runtime.dial("node", ip, 8080)).destroy() !== undefined);
  return { node, ips, web };
}

/** What never comes is waited for this long: a machine that does other things too may be slow. */
const PATIENCE_MS = 20_000;
setDefaultTimeout(40_000);

export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
    if (await Promise.resolve(condition()).catch(() => false)) return;
    await Bun.sleep(10);
  }
  throw new Error("it never came true");
}

/** The message of a rejection. Bun's `rejects` blocks the thread, and with it the worker's messages that it waits for. */
export function failure(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: Error) => error.message,
  );
}
