import { isIP } from "node:net";
import type { ServiceEntry } from "../../resources/index.ts";
import { compareAge } from "../registry/index.ts";

type Addresses = { value: string; host?: string }[];

/** One entry whose status is to say something else. */
export interface AddressChange {
  readonly entry: ServiceEntry;
  readonly addresses: Addresses;
}

/** Istio's ranges: reserved, so that nobody else's addresses are in them. 65,534 of each family. */
const V4 = { format: (number: number) => `240.240.${number >> 8}.${number & 0xff}` };
const V6 = { format: (number: number) => `2001:2::${number.toString(16)}` };
const LAST = 0xfffe;
const OPT_OUT = "networking.istio.io/enable-autoallocate-ip";

/**
 * The addresses of ServiceEntries that name none themselves: one of each family for each host, by which captured
 * connections tell hosts apart. What an entry has it keeps; of two with the same address the younger gets another.
 * Addresses are taken from `from` on, so that one that was just given back does not soon mean another host.
 */
export function planAddresses(entries: readonly ServiceEntry[], from: number): { changes: AddressChange[]; next: number } {
  const taken = new Set(entries.flatMap(({ spec }) => (spec?.addresses ?? []).filter((address) => isIP(address)).map(canonical)));
  const sorted = [...entries].sort(compareAge);
  const kept = new Map<ServiceEntry, Addresses>();
  for (const entry of sorted) {
    const hosts = new Set(hostsOf(entry));
    const own = (entry.status?.addresses ?? []).filter(
      ({ value, host }) => host !== undefined && hosts.has(host) && isIP(value) && !taken.has(canonical(value)),
    );
    for (const { value } of own) taken.add(canonical(value));
    kept.set(entry, own);
  }
  let next = from;
  const allocate = (): string[] => {
    for (let tried = 0; tried < LAST; tried++) {
      const number = (next % LAST) + 1;
      next = number;
      const [v4, v6] = [V4.format(number), V6.format(number)];
      if (taken.has(v4) || taken.has(v6)) continue;
      taken.add(v4).add(v6);
      return [v4, v6];
    }
    return [];
  };
  const changes = sorted.flatMap((entry): AddressChange[] => {
    const own = kept.get(entry) ?? [];
    const addresses = hostsOf(entry).flatMap((host) => {
      const existing = own.filter((address) => address.host === host);
      return existing.length > 0 ? existing : allocate().map((value) => ({ value, host }));
    });
    const current = entry.status?.addresses ?? [];
    return JSON.stringify(addresses.map(textOf)) === JSON.stringify(current.map(textOf)) ? [] : [{ entry, addresses }];
  });
  return { changes, next };
}

/** The hosts that addresses are for; none when the entry has its own, wants none, or its clients must keep what they dialled. */
function hostsOf({ metadata, spec }: ServiceEntry): string[] {
  if (!spec || (spec.resolution ?? "NONE") === "NONE" || spec.addresses?.length || metadata.labels?.[OPT_OUT]?.toLowerCase() === "false") return [];
  return [...new Set(spec.hosts ?? [])].filter((host) => !host.includes("*") || spec.resolution === "DYNAMIC_DNS");
}

/** One spelling for each IPv6 address. */
function canonical(address: string): string {
  return address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

const textOf = ({ value, host }: Addresses[number]): string => `${value} ${host ?? ""}`;
