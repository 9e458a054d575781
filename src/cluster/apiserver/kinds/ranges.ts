import { isIPv4 } from "node:net";
import { ChainmailError } from "../../../base/index.ts";
import type { RandomBytes } from "../rest/names.ts";

/** How often chance is tried before the range is searched in order. */
const RANDOM_ATTEMPTS = 16;

/** The addresses of Services. The lowest are left to those who ask for one, so that they seldom collide with chance. */
export class AddressRange {
  #base: number;
  #size: number;
  /** The first that chance gives: as Kubernetes' static band. */
  #dynamicStart: number;

  /** Throws INVALID_SERVICE_CIDR. */
  constructor(readonly cidr: string) {
    const [address = "", bits = ""] = cidr.split("/");
    const length = Number(bits);
    if (!isIPv4(address) || !Number.isInteger(length) || length < 8 || length > 28) {
      throw new ChainmailError("INVALID_SERVICE_CIDR", `${JSON.stringify(cidr)} is no range of IPv4 addresses between /8 and /28`);
    }
    this.#size = 2 ** (32 - length);
    this.#base = Math.floor(toNumber(address) / this.#size) * this.#size;
    this.#dynamicStart = Math.min(Math.max(16, Math.floor(this.#size / 16)), 256, this.#size - 1);
  }

  /** The one that the API server itself has. */
  get first(): string {
    return toAddress(this.#base + 1);
  }

  includes(address: string): boolean {
    if (!isIPv4(address)) return false;
    const offset = toNumber(address) - this.#base;
    return offset > 0 && offset < this.#size - 1;
  }

  pick(random: RandomBytes, taken: (address: string) => boolean): string | undefined {
    const at = (offset: number) => toAddress(this.#base + offset);
    const offset =
      pickOffset(this.#dynamicStart, this.#size - 1, random, (one) => taken(at(one))) ?? pickOffset(2, this.#dynamicStart, random, (one) => taken(at(one)));
    return offset === undefined ? undefined : at(offset);
  }
}

/** Ports opened on the node. */
export class PortRange {
  #dynamicStart: number;
  constructor(
    private readonly from: number,
    /** Included. */
    private readonly to: number,
  ) {
    const size = to - from + 1;
    this.#dynamicStart = from + Math.min(Math.max(16, Math.floor(size / 32)), 128, size);
  }

  get text(): string {
    return `${this.from}-${this.to}`;
  }

  includes(port: number): boolean {
    return port >= this.from && port <= this.to;
  }

  pick(random: RandomBytes, taken: (port: number) => boolean): number | undefined {
    return pickOffset(this.#dynamicStart, this.to + 1, random, taken) ?? pickOffset(this.from, this.#dynamicStart, random, taken);
  }
}

/** A free number in [from, to): by chance, and where that fails in order. */
function pickOffset(from: number, to: number, random: RandomBytes, taken: (offset: number) => boolean): number | undefined {
  if (to <= from) return undefined;
  for (let attempt = 0; attempt < RANDOM_ATTEMPTS; attempt++) {
    const bytes = random(4);
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    const offset = from + (value % (to - from));
    if (!taken(offset)) return offset;
  }
  for (let offset = from; offset < to; offset++) if (!taken(offset)) return offset;
  return undefined;
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
