import type { Duplex } from "node:stream";
import { ChainmailError, errorText, type Logger } from "../../base/index.ts";
import { isIPv4, parseIPv4 } from "../../linux/index.ts";
import type { Cgroups } from "../cgroups/index.ts";
import type { AddressPool } from "./address-pool.ts";
import { Container } from "./container.ts";
import { execIn } from "./exec.ts";
import type { NamespaceClient } from "./namespace-client.ts";
import { copyRoot } from "./copy-root.ts";
import { usageOf } from "./processes.ts";
import type { IdMaps } from "./privileges.ts";
import { connected, duplexOver } from "./socket-duplex.ts";
import type { ContainerExit, ContainerRuntime, ContainerSpec, ExecProcess, ExecSpec, RootMode, RunningContainer, Sandbox, SandboxSpec } from "./types.ts";

export interface RuntimeOptions {
  client: NamespaceClient;
  pool: AddressPool;
  maps: IdMaps;
  logger: Logger;
  /** Where containers' changes to an image's root go; known once the node is set up. */
  rootMode: () => RootMode;
  /** Told of a pod's address before its first process starts, and before the address can be another's. */
  network?: { assigned(sandboxId: string, ip: string): Promise<void>; released(sandboxId: string): void };
  /** nft commands for a pod's link, run as it comes and goes. */
  podRules(link: string, ip: string): { add: string; remove: string };
  onFatal(error: Error): void;
  /** What holds containers to their limits. */
  cgroups?: Cgroups;
}

/** Reaps what others leave behind and waits to be killed, under a uid of its own. */
const PAUSE: Omit<ContainerSpec, "id"> = {
  argv: ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 2147483647 & wait; done"],
  env: {},
  workingDir: "/",
  mounts: [],
  uid: 65535,
  gid: 65535,
  readOnlyRoot: true,
  capabilities: "none",
  tty: false,
  stdin: false,
  logPath: "/dev/null",
};

interface SandboxState {
  spec: SandboxSpec;
  ip: string;
  containers: Map<string, Container>;
  /** The first process of the pid namespace that all containers share. */
  pause?: Container;
  /** No container may start any more. */
  removing: boolean;
}

/** The kernel needs some time to end a pid namespace under load; past this the sandbox's removal fails and is retried. */
const KILL_TIMEOUT_MS = 10_000;

/** The kernel removes a dead namespace's links within some 100 ms; the address is not handed out again so soon. */
const LINK_GRACE_MS = 5_000;

/** Pods as processes of this machine. */
export class ProcessRuntime implements ContainerRuntime {
  readonly #options: RuntimeOptions;
  readonly #sandboxes = new Map<string, SandboxState>();
  readonly #containers = new Map<string, Container>();
  /** Further processes of containers, by ids of our own. */
  readonly #entered = new Map<string, (exit: ContainerExit) => void>();
  #entries = 0;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    options.client.listen({
      onExited: (id, exit) => {
        this.#containers.get(id)?.onExited(exit);
        this.#entered.get(id)?.(exit);
        this.#entered.delete(id);
      },
      onFatal: options.onFatal,
    });
  }

  async createSandbox(spec: SandboxSpec): Promise<Sandbox> {
    if (this.#sandboxes.has(spec.id)) throw new ChainmailError("SANDBOX_EXISTS", `sandbox ${spec.id} exists already`);
    const { client, pool, podRules } = this.#options;
    const ip = spec.hostNetwork ? pool.nodeIp : pool.allocate();
    const state: SandboxState = { spec, ip, containers: new Map(), removing: false };
    this.#sandboxes.set(spec.id, state);
    const { link, mac } = linkOf(ip);
    const rules = podRules(link, ip);
    try {
      await client.call("createSandbox", {
        id: spec.id,
        hostname: spec.hostname,
        hostNetwork: spec.hostNetwork,
        ip,
        link,
        mac,
        nodeIp: pool.nodeIp,
        sysctls: spec.sysctls ?? {},
        addRules: rules.add,
        removeRules: rules.remove,
      });
    } catch (error) {
      this.#forget(state);
      throw error;
    }
    try {
      if (!spec.hostNetwork) await this.#options.network?.assigned(spec.id, ip);
      if (spec.sharedPids) await this.#pause(state);
    } catch (error) {
      await this.removeSandbox(spec.id);
      throw error;
    }
    return { id: spec.id, ip };
  }

  async removeSandbox(sandboxId: string): Promise<void> {
    const state = this.#sandboxes.get(sandboxId);
    if (!state) return;
    state.removing = true;
    await Promise.all([...state.containers.values()].map((container) => this.#end(container)));
    if (state.pause) await this.#end(state.pause);
    await this.#options.client.call("removeSandbox", { id: sandboxId });
    this.#forget(state);
    if (!state.spec.hostNetwork) this.#dropLinkLater(linkOf(state.ip).link);
  }

  async startContainer(sandboxId: string, spec: ContainerSpec): Promise<RunningContainer> {
    const state = this.#sandbox(sandboxId);
    if (state.removing) throw new ChainmailError("SANDBOX_NOT_FOUND", `sandbox ${sandboxId} is being removed`);
    if (this.#containers.has(spec.id)) throw new ChainmailError("CONTAINER_EXISTS", `container ${spec.id} exists already`);
    const { client, maps, logger, cgroups } = this.#options;
    const joined = spec.joins === undefined ? state.pause : this.#containers.get(spec.joins);
    if (spec.joins !== undefined && !joined?.running)
      throw new ChainmailError("CONTAINER_NOT_RUNNING", `container ${spec.joins}, whose processes are to be joined, is not running`);
    const container = new Container(sandboxId, spec, state.spec.hostname, client, maps, logger, joined?.pid, cgroups);
    this.#containers.set(spec.id, container);
    state.containers.set(spec.id, container);
    const forget = (): void => {
      this.#containers.delete(spec.id);
      state.containers.delete(spec.id);
    };
    void container.exited.then(forget);
    try {
      if (spec.root && this.#options.rootMode() === "copy") await copyRoot(spec.root);
      await container.start();
    } catch (error) {
      forget();
      throw error;
    }
    return container;
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ExecProcess> {
    const container = this.#containers.get(containerId);
    if (!container?.running) throw new ChainmailError("CONTAINER_NOT_RUNNING", `container ${containerId} is not running`);
    const processId = `exec/${++this.#entries}`;
    try {
      return await execIn(container, spec, processId, (tell) => this.#entered.set(processId, tell));
    } catch (error) {
      this.#entered.delete(processId);
      throw error;
    }
  }

  async dial(from: { sandboxId: string } | "node", host: string, port: number): Promise<Duplex> {
    const fd = await this.connect(from, host, port);
    return duplexOver(fd);
  }

  /** As dial, but the bare descriptor, connected, for Bun.connect: the caller owns it. */
  async connect(from: { sandboxId: string } | "node", host: string, port: number): Promise<number> {
    const ip = host === "localhost" ? "127.0.0.1" : host;
    if (!isIPv4(ip)) throw new ChainmailError("INVALID_ADDRESS", `cannot dial "${host}": pods and services are dialled by IPv4 address`);
    const where = from === "node" ? from : { sandboxId: this.#sandbox(from.sandboxId).spec.id };
    const fd = await this.#options.client.call("connect", { where, host: ip, port });
    return connected(fd, `${host}:${port}`);
  }

  async usage(id: string): Promise<{ cpuSeconds: number; memoryBytes: number }> {
    const container = this.#containers.get(id);
    const containers = container ? [container] : [...this.#sandbox(id).containers.values()];
    const namespaces = containers.flatMap((container) => container.namespace ?? []);
    return usageOf(new Set(namespaces));
  }

  enforces(what: "memory" | "cpu"): boolean {
    return this.#options.cgroups?.enforces(what) ?? false;
  }

  mountMemory(folder: string, bytes: number | undefined): Promise<void> {
    return this.#options.client.call("mountMemory", { folder, bytes });
  }

  releaseMemory(folder: string): Promise<void> {
    return this.#options.client.call("releaseMemory", { folder });
  }

  /** Starts the process whose pid namespace a sandbox's containers share. */
  async #pause(state: SandboxState): Promise<void> {
    const { client, maps, logger } = this.#options;
    const id = `${state.spec.id}/pause`;
    const spec: ContainerSpec = { ...PAUSE, id };
    const pause = new Container(state.spec.id, spec, state.spec.hostname, client, maps, logger, undefined);
    this.#containers.set(id, pause);
    void pause.exited.then(() => this.#containers.delete(id));
    try {
      await pause.start();
    } catch (error) {
      this.#containers.delete(id);
      throw error;
    }
    state.pause = pause;
  }

  /** Removes all sandboxes. */
  async stop(): Promise<void> {
    await Promise.all([...this.#sandboxes.keys()].map((id) => this.removeSandbox(id)));
    this.#options.cgroups?.close();
  }

  /** A thread of the worker that started in the pod's network namespace by chance would keep it, and so the link, alive. */
  #dropLinkLater(link: string): void {
    const { client, logger } = this.#options;
    const drop = () =>
      client.call("dropLink", { link }).catch((error: unknown) => logger.debug("a link could not be dropped", { link, error: errorText(error) }));
    setTimeout(() => void drop(), LINK_GRACE_MS).unref();
  }

  async #end(container: Container): Promise<void> {
    container.kill("SIGKILL");
    const ended = await Promise.race([container.gone.then(() => true), Bun.sleep(KILL_TIMEOUT_MS).then(() => false)]);
    if (!ended) throw new ChainmailError("CONTAINER_STUCK", `container ${container.id} has not ended ${KILL_TIMEOUT_MS / 1000} s after SIGKILL`);
  }

  #forget(state: SandboxState): void {
    this.#options.network?.released(state.spec.id);
    this.#sandboxes.delete(state.spec.id);
    if (!state.spec.hostNetwork) this.#options.pool.free(state.ip);
  }

  #sandbox(id: string): SandboxState {
    const state = this.#sandboxes.get(id);
    if (!state) throw new ChainmailError("SANDBOX_NOT_FOUND", `there is no sandbox ${id}`);
    return state;
  }
}

/** The node's end of a pod's link, and the pod's MAC address: both follow from its address, so both are unique. */
export function linkOf(ip: string): { link: string; mac: string } {
  const hex = parseIPv4(ip).toString(16).padStart(8, "0");
  // 02: locally administered, unicast.
  return { link: `v${hex}`, mac: `02:42:${hex.replace(/(..)(?=.)/g, "$1:")}` };
}
