import { connectMarked, originalDestination } from "../../linux/index.ts";
import type { SocketFactory } from "../types.ts";

/** Istio's sign on the proxy's own traffic, which capture lets pass. */
export const PROXY_MARK = 1337;

/** The kernel's sockets in the network namespace of this process. `mark` 0 sets none (needs no capability). */
export function systemSockets(mark: number): SocketFactory {
  return {
    listen: ({ address, port }) => ({ hostname: address, port }),
    connect: (target, { bindAddress }) => connectMarked(target.address, target.port, mark, bindAddress === undefined ? {} : { bindAddress }),
    originalDestination(fd) {
      const found = originalDestination(fd);
      return found && { address: found.ip, port: found.port };
    },
  };
}
