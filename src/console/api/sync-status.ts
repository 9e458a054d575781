import type { SyncRow } from "../server/istiod.ts";

const FIELDS = { CDS: "cluster", EDS: "endpoint", LDS: "listener", RDS: "route" } as const;

/** Kiali's words for how each part of a proxy's configuration stands. */
export function proxyStatus(row: SyncRow): Record<keyof typeof FIELDS, string> {
  const one = (field: string): string => {
    const [sent, acked] = [row[`${field}_sent`], row[`${field}_acked`]];
    if (sent === undefined || sent === "") return "NOT_SENT";
    return sent === acked ? "Synced" : acked === undefined || acked === "" ? "Stale (Never Acknowledged)" : "Stale";
  };
  return { CDS: one(FIELDS.CDS), EDS: one(FIELDS.EDS), LDS: one(FIELDS.LDS), RDS: one(FIELDS.RDS) };
}

/** When a proxy was last sent something, from the moments that istiod tells. */
export function lastSent(row: SyncRow): string | undefined {
  const resources = row.resources;
  if (typeof resources !== "object" || resources === null) return undefined;
  return Object.values(resources)
    .flatMap((state: { sentTime?: string }) => state.sentTime ?? [])
    .sort()
    .at(-1);
}
