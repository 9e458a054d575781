import { ChainmailError } from "../../base/index.ts";
import { formatIPv4, parseIPv4 } from "../../linux/index.ts";

export interface Cidr {
  ip: string;
  prefixLength: number;
}

/** `10.244.0.0/16`, its host bits zero. Throws INVALID_CIDR. */
export function parseCidr(text: string): Cidr {
  const [ip = "", length = ""] = text.split("/");
  const prefixLength = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefixLength < 1 || prefixLength > 30) throw new ChainmailError("INVALID_CIDR", `"${text}" is not an IPv4 range`);
  if (parseIPv4(ip) % 2 ** (32 - prefixLength) !== 0) throw new ChainmailError("INVALID_CIDR", `"${text}" has bits set beyond its prefix`);
  return { ip, prefixLength };
}

/**
 * Pods' addresses from one range. The first host address is the node's own. A freed address is handed out again only
 * after all others: a client that still holds it must not reach a stranger.
 */
export class AddressPool {
  readonly nodeIp: string;
  readonly #first: number;
  readonly #count: number;
  readonly #used = new Set<number>();
  #next = 0;

  constructor(cidr: Cidr) {
    const base = parseIPv4(cidr.ip);
    this.nodeIp = formatIPv4(base + 1);
    this.#first = base + 2;
    // Less the network's, the node's and the broadcast address.
    this.#count = 2 ** (32 - cidr.prefixLength) - 3;
  }

  /** Throws NO_ADDRESS_LEFT. */
  allocate(): string {
    for (let tried = 0; tried < this.#count; tried++) {
      const offset = (this.#next + tried) % this.#count;
      if (this.#used.has(offset)) continue;
      this.#used.add(offset);
      this.#next = offset + 1;
      return formatIPv4(this.#first + offset);
    }
    throw new ChainmailError("NO_ADDRESS_LEFT", `all ${this.#count} pod addresses are in use`);
  }

  free(ip: string): void {
    this.#used.delete(parseIPv4(ip) - this.#first);
  }
}
