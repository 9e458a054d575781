import { errorText, type Logger } from "../../base/index.ts";
import { newSide, relayHandlers, type Side } from "./relay.ts";
import type { ServiceEntry } from "./service-entry.ts";

export interface NodePortOptions {
  /** The cluster's loopback address on the host. */
  address: string;
  /** A connected descriptor to a service, in the node's namespace. */
  connect(ip: string, port: number): Promise<number>;
  logger: Logger;
  /** A port that is not served: a node port or host port someone else has is an error, a privileged LoadBalancer port only a note. */
  onPortProblem(problem: PortProblem): void;
}

export interface PortProblem {
  service: string;
  address: string;
  port: number;
  kind: "node port" | "load balancer port" | "host port";
  message: string;
}

/** A pod's port on the host. */
export interface HostPort {
  /** `<namespace>/<name>` of the pod. */
  key: string;
  hostPort: number;
  ip: string;
  port: number;
}

interface Wanted {
  /** The service's key, or the pod's. */
  service: string;
  ip: string;
  port: number;
  kind: PortProblem["kind"];
}

interface Served extends Wanted {
  listener: Bun.TCPSocketListener<Side> | undefined;
  /** Why it could not be bound, as it was told. */
  problem: string | undefined;
}

/** More than any test needs, fewer than the default limit of open files allows. */
const MAX_CONNECTIONS = 1_000;

/**
 * Listens on the host for node ports and LoadBalancer ports and relays to the services' addresses, where the kernel
 * picks the endpoint. The gateway sees the node's address as the source.
 */
export class NodePorts {
  readonly #options: NodePortOptions;
  readonly #served = new Map<number, Served>();
  #entries: ServiceEntry[] = [];
  #hostPorts: HostPort[] = [];

  constructor(options: NodePortOptions) {
    this.#options = options;
  }

  /** All services there are. Ports that stay keep their connections. */
  update(entries: Iterable<ServiceEntry>): void {
    this.#entries = [...entries];
    this.#sync();
  }

  /** All pods' ports on the host there are. */
  updateHostPorts(hostPorts: HostPort[]): void {
    this.#hostPorts = hostPorts;
    this.#sync();
  }

  #sync(): void {
    const wanted = this.#wanted();
    for (const [port, served] of this.#served) {
      if (wanted.has(port)) continue;
      served.listener?.stop();
      this.#served.delete(port);
    }
    for (const [port, want] of wanted) {
      const served = this.#served.get(port) ?? { ...want, listener: undefined, problem: undefined };
      this.#served.set(port, Object.assign(served, want));
      // One that could not be bound is tried again: whoever had the port may be gone.
      if (!served.listener) this.#open(port, served);
    }
  }

  stop(): void {
    for (const { listener } of this.#served.values()) listener?.stop(true);
    this.#served.clear();
  }

  /** The first by key has a port that two want; node ports come before LoadBalancer ports, and those before pods' own. */
  #wanted(): Map<number, Wanted> {
    const outside = this.#entries.filter((entry) => entry.loadBalancer || entry.ports.some((port) => port.nodePort !== undefined));
    const sorted = outside.sort((a, b) => (a.key < b.key ? -1 : 1));
    const wanted = new Map<number, Wanted>();
    for (const kind of ["node port", "load balancer port"] as const) {
      for (const entry of sorted) {
        for (const { protocol, port, nodePort } of entry.ports) {
          if (protocol !== "tcp") continue;
          const hostPort = kind === "node port" ? nodePort : entry.loadBalancer ? port : undefined;
          if (hostPort !== undefined && !wanted.has(hostPort)) wanted.set(hostPort, { service: entry.key, ip: entry.clusterIP, port, kind });
        }
      }
    }
    for (const { key, hostPort, ip, port } of [...this.#hostPorts].sort((a, b) => (a.key < b.key ? -1 : 1))) {
      if (!wanted.has(hostPort)) wanted.set(hostPort, { service: key, ip, port, kind: "host port" });
    }
    return wanted;
  }

  #open(port: number, served: Served): void {
    const { address, logger } = this.#options;
    try {
      served.listener = Bun.listen<Side>({
        hostname: address,
        port,
        allowHalfOpen: true,
        socket: relayHandlers({
          maxConnections: MAX_CONNECTIONS,
          connect: async (accepted, handlers) => {
            const fd = await this.#options.connect(served.ip, served.port);
            return adopt(fd, newSide(accepted), handlers);
          },
          onRefused: (reason) => logger.debug("a node port's connection was refused", { port, service: served.service, reason }),
        }),
      });
    } catch (error) {
      const problem = { service: served.service, address, port, kind: served.kind, message: errorText(error) };
      if (served.problem === problem.message) return;
      served.problem = problem.message;
      if (served.kind !== "load balancer port") logger.error(`a ${served.kind} cannot be served`, problem);
      else logger.info("a LoadBalancer port is served at its node port only", problem);
      this.#options.onPortProblem(problem);
    }
  }
}

/** @types/bun does not know that Bun.connect takes a descriptor. */
export function adopt(fd: number, data: Side, handlers: Bun.SocketHandler<Side>): Promise<Bun.Socket<Side>> {
  const options = { fd, data, allowHalfOpen: true, socket: handlers };
  return Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<Side>);
}
