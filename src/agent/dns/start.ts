import { errorText, systemClock, type Logger } from "../../base/index.ts";
import type { NameTable } from "../../proto/gen/istio/nds/nds_pb.ts";
import { DNS_PROXY_PORT } from "../capture/rules.ts";
import type { AgentOptions } from "../options.ts";
import type { PodSockets } from "../sockets.ts";
import type * as Dns from "./index.ts";

/** A DNS proxy that may still be starting. */
export interface StartedDns {
  setTable(table: NameTable): void;
  stop(): void;
}

/** Starts the DNS proxy of a pod whose DNS is captured; undefined for all others, which load nothing of it. */
export function startDns(options: AgentOptions, sockets: PodSockets, log: Logger): StartedDns | undefined {
  if (options.meta["DNS_CAPTURE"] !== "true") return undefined;
  let table: NameTable | undefined;
  let proxy: Dns.DnsProxy | undefined;
  let stopped = false;
  const start = async (): Promise<void> => {
    const { readResolvConf, serveDns } = await import("./index.ts");
    const made = await serveDns({
      address: "127.0.0.1",
      port: DNS_PROXY_PORT,
      namespace: options.namespace,
      resolv: readResolvConf(),
      upstreamFd: () => sockets.udp(),
      clock: systemClock,
      random: Math.random,
      log,
    });
    if (stopped) return made.stop();
    proxy = made;
    if (table) made.setTable(table);
    log.info("DNS proxy listens", { port: made.port });
  };
  // Without it the pod resolves no name: whoever reads the log must see why.
  void start().catch((error: unknown) => log.error("the DNS proxy cannot start", { error: errorText(error) }));
  return {
    setTable(next) {
      table = next;
      proxy?.setTable(next);
    },
    stop() {
      stopped = true;
      proxy?.stop();
    },
  };
}
