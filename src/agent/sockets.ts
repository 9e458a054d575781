import { bindUdp, closeFd, connectMarked, connectResult, originalDestination, setSocketOption, SocketOption, SystemError } from "../linux/index.ts";
import type { ConnectFd } from "../proxy/grpc/index.ts";
import type { ConnectOptions, ListenOptions, SocketAddress, SocketFactory } from "../proxy/types.ts";
import { PROXY_MARK } from "./capture/rules.ts";

/**
 * The proxy's sockets in a pod. Its connections carry the mark that the capture rules let pass; where marks are not
 * allowed (Kubernetes gives a sidecar no capabilities) its user 1337 is the sign, so nothing is lost.
 */
export class PodSockets implements SocketFactory {
  #mark: number;

  /** 0 for a proxy that nothing captures for. */
  constructor(mark: number = PROXY_MARK) {
    this.#mark = mark;
  }

  listen({ address, port }: ListenOptions): { hostname: string; port: number } {
    return { hostname: address, port };
  }

  connect(target: SocketAddress, options: ConnectOptions): number {
    const bind = options.bindAddress === undefined ? {} : { bindAddress: options.bindAddress };
    try {
      return connectMarked(target.address, target.port, this.#mark, bind);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== "EPERM" || this.#mark === 0) throw error;
      this.#mark = 0;
      return connectMarked(target.address, target.port, 0, bind);
    }
  }

  /** A UDP socket at a port of its own, past the capture of DNS. */
  udp(): number {
    const fd = bindUdp("0.0.0.0", 0);
    if (this.#mark === 0) return fd;
    try {
      setSocketOption(fd, SocketOption.MARK, this.#mark);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== "EPERM") {
        closeFd(fd);
        throw error;
      }
    }
    return fd;
  }

  originalDestination(fd: number): SocketAddress | undefined {
    const found = originalDestination(fd);
    return found && { address: found.ip, port: found.port };
  }
}

/** Connections of the agent itself to the control plane: marked too, or its own capture would catch them. */
export function connectThrough(sockets: SocketFactory): ConnectFd {
  return (target) => {
    const fd = sockets.connect(target, {});
    const result = connectResult(fd, `${target.address}:${target.port}`);
    if (result.state === "failed") {
      closeFd(fd);
      throw result.error;
    }
    return fd;
  };
}
