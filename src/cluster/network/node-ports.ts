import { errorText, type Logger } from "../../base/index.ts";
import { newSide, relayHandlers, type Side } from "./relay.ts";
import type { Protocol, ServiceEntry } from "./service-entry.ts";
import { type OpenDatagrams, relayUdp, udpSocket } from "./udp-relay.ts";

export interface NodePortOptions {
  /** The cluster's loopback address on the host. */
  address: string;
  /** A connected descriptor to a service, in the node's namespace. */
  connect(ip: string, port: number): Promise<number>;
  /** A UDP socket there, on a port of its own. */
  connectUdp: OpenDatagrams;
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
  protocol: Protocol;
}

interface Wanted {
  protocol: Protocol;
  /** On the host. */
  hostPort: number;
  /** The service's key, or the pod's. */
  service: string;
  ip: string;
  port: number;
  kind: PortProblem["kind"];
}

interface Served extends Wanted {
  listener: { stop(force?: boolean): void } | undefined;
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
  /** By `tcp 30080`. */
  readonly #served = new Map<string, Served>();
  /** UDP ports whose sockets are on their way out, by host port: the next one there waits for them. */
  readonly #closing = new Map<number, Promise<void>>();
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
    for (const [key, served] of this.#served) {
      if (wanted.has(key)) continue;
      served.listener?.stop();
      this.#served.delete(key);
    }
    for (const [key, want] of wanted) {
      const served = this.#served.get(key) ?? { ...want, listener: undefined, problem: undefined };
      this.#served.set(key, Object.assign(served, want));
      // One that could not be bound is tried again: whoever had the port may be gone.
      if (!served.listener) this.#open(served);
    }
  }

  stop(): void {
    for (const { listener } of this.#served.values()) listener?.stop(true);
    this.#served.clear();
  }

  /** The first by key has a port that two want; node ports come before LoadBalancer ports, and those before pods' own. */
  #wanted(): Map<string, Wanted> {
    const outside = this.#entries.filter((entry) => entry.loadBalancer || entry.ports.some((port) => port.nodePort !== undefined));
    const sorted = outside.sort((a, b) => (a.key < b.key ? -1 : 1));
    const wanted = new Map<string, Wanted>();
    const want = (one: Wanted): void => {
      const key = `${one.protocol} ${one.hostPort}`;
      if (!wanted.has(key)) wanted.set(key, one);
    };
    for (const kind of ["node port", "load balancer port"] as const) {
      for (const entry of sorted) {
        for (const { protocol, port, nodePort } of entry.ports) {
          const hostPort = kind === "node port" ? nodePort : entry.loadBalancer ? port : undefined;
          if (hostPort !== undefined) want({ service: entry.key, ip: entry.clusterIP, port, kind, protocol, hostPort });
        }
      }
    }
    for (const { key, ...hostPort } of [...this.#hostPorts].sort((a, b) => (a.key < b.key ? -1 : 1))) want({ ...hostPort, service: key, kind: "host port" });
    return wanted;
  }

  #open(served: Served): void {
    if (served.protocol === "udp") return this.#openUdp(served);
    const { address, logger } = this.#options;
    const { hostPort: port } = served;
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
      this.#notBound(served, error);
    }
  }

  /** The socket comes later, and perhaps when nobody wants it any more: then it goes at once, and no failure of it is anybody's problem. */
  #openUdp(served: Served): void {
    const { address, connectUdp, logger } = this.#options;
    const { hostPort } = served;
    let isWanted = true;
    const open = () =>
      relayUdp({
        listen: (onData) => udpSocket({ hostname: address, port: hostPort }, onData),
        connect: connectUdp,
        target: () => ({ ip: served.ip, port: served.port }),
        now: () => performance.now(),
        onRefused: (reason) => logger.debug("a node port's datagram was not sent on", { port: hostPort, service: served.service, reason }),
      });
    const relay = this.#closing.get(hostPort)?.then(() => (isWanted ? open() : undefined)) ?? open();
    const listener = {
      stop: () => {
        isWanted = false;
        const closed = relay.then(
          (opened) => opened?.stop(),
          () => {},
        );
        this.#closing.set(hostPort, closed);
        void closed.finally(() => {
          if (this.#closing.get(hostPort) === closed) this.#closing.delete(hostPort);
        });
      },
    };
    served.listener = listener;
    relay.catch((error: unknown) => {
      if (!isWanted || served.listener !== listener) return;
      served.listener = undefined;
      this.#notBound(served, error);
    });
  }

  #notBound(served: Served, error: unknown): void {
    const { address, logger, onPortProblem } = this.#options;
    const problem = { service: served.service, address, port: served.hostPort, kind: served.kind, message: errorText(error) };
    if (served.problem === problem.message) return;
    served.problem = problem.message;
    if (served.kind !== "load balancer port") logger.error(`a ${served.kind} cannot be served`, problem);
    else logger.info("a LoadBalancer port is served at its node port only", problem);
    onPortProblem(problem);
  }
}

/** @types/bun does not know that Bun.connect takes a descriptor. */
export function adopt(fd: number, data: Side, handlers: Bun.SocketHandler<Side>): Promise<Bun.Socket<Side>> {
  const options = { fd, data, allowHalfOpen: true, socket: handlers };
  return Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<Side>);
}
