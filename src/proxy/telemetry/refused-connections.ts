import { SourceNames } from "./source-names.ts";
import type { Counter, StatsRegistry } from "./stats.ts";

/** Why a connection was not let in. */
export type RefusalReason =
  | "filter_chain_not_found"
  | "proxy_header_invalid"
  | "tls_handshake_failed"
  | "peer_certificate_required"
  | "peer_not_trusted"
  | "peer_san_mismatch"
  | "rbac_access_denied"
  | "ext_authz_denied"
  | "policy_changed";

/** `chainmail_refused_connections_total`: who tried to come in and was refused, which no Istio metric tells. */
export class RefusedConnections {
  readonly #sources = new SourceNames();
  readonly #counters = new Map<string, Counter>();

  constructor(private readonly stats: StatsRegistry) {}

  count(sourceIp: string, destinationPort: number, reason: RefusalReason): void {
    const source = this.#sources.name(sourceIp);
    const key = `${source} ${destinationPort} ${reason}`;
    let counter = this.#counters.get(key);
    if (!counter) {
      counter = this.stats.counter("chainmail_refused_connections_total", [
        ["source_ip", source],
        ["destination_port", String(destinationPort)],
        ["reason", reason],
      ]);
      this.#counters.set(key, counter);
    }
    counter.inc();
  }
}
