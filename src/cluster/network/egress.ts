import { networkInterfaces } from "node:os";
import { ChainmailError, type Logger } from "../../base/index.ts";
import { originalDestination } from "../../linux/index.ts";
import type { Cidr } from "../runtime/index.ts";
import { refusesEgress } from "./egress-policy.ts";
import { newSide, relayHandlers, type Side } from "./relay.ts";

export interface EgressOptions {
  /** A listening descriptor in the node's namespace, where the kernel sends pods' traffic to the outside. */
  fd: number;
  clusterRanges: Cidr[];
  logger: Logger;
  /** The host's own addresses; for tests. */
  hostAddresses?: () => string[];
}

/** A relayed connection costs two descriptors: this leaves most of a usual limit of 4096 or more. */
const MAX_CONNECTIONS = 1_000;
/** As long as Linux would try a connect by itself within three SYNs. */
const CONNECT_TIMEOUT_MS = 7_000;

/** Carries pods' TCP connections to the outside: they end in the node's namespace, and the host dials on. */
export class Egress {
  readonly #listener: { stop(force?: boolean): void };

  constructor(options: EgressOptions) {
    const hostAddresses = options.hostAddresses ?? ownAddresses;
    const listen = {
      fd: options.fd,
      allowHalfOpen: true,
      socket: relayHandlers({
        maxConnections: MAX_CONNECTIONS,
        connect: (accepted, handlers) => {
          const target = originalDestination(fdOf(accepted));
          if (!target) throw new ChainmailError("EGRESS_REFUSED", "the connection was not redirected here");
          const why = refusesEgress(target.ip, hostAddresses(), options.clusterRanges);
          if (why !== undefined) throw new ChainmailError("EGRESS_REFUSED", `${target.ip}:${target.port}: ${why}`);
          return dial(target.ip, target.port, accepted, handlers);
        },
        onRefused: (reason, accepted) => options.logger.info("a pod's connection to the outside was refused", { pod: accepted.remoteAddress, reason }),
      }),
    };
    // @types/bun does not know that Bun.listen takes a descriptor.
    this.#listener = Bun.listen(listen as unknown as Bun.TCPSocketListenOptions<Side>);
  }

  stop(): void {
    this.#listener.stop(true);
  }
}

async function dial(ip: string, port: number, accepted: Bun.Socket<Side>, handlers: Bun.SocketHandler<Side>): Promise<Bun.Socket<Side>> {
  let late = false;
  const connecting = Bun.connect<Side>({ hostname: ip, port, data: newSide(accepted), allowHalfOpen: true, socket: handlers });
  const timeout = new Promise<never>((_resolve, reject) => {
    setTimeout(() => {
      late = true;
      reject(new ChainmailError("ETIMEDOUT", `connect ${ip}:${port}: no answer in ${CONNECT_TIMEOUT_MS / 1000} s`));
    }, CONNECT_TIMEOUT_MS).unref();
  });
  void connecting.then(
    (socket) => late && socket.terminate(),
    () => {}, // Told by the race below, or too late to matter.
  );
  return Promise.race([connecting, timeout]);
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}

/** Undocumented, but there: src/proxy relies on it too. */
function fdOf(socket: Bun.Socket<Side>): number {
  const fd: unknown = Reflect.get(socket, "fd");
  if (typeof fd !== "number" || fd < 0)
    throw new ChainmailError("BUN_CHANGED", "this version of Bun shows no descriptor of a socket", { hint: "use Bun 1.4.5 exactly: npm install" });
  return fd;
}
