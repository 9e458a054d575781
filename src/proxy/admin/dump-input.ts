/**
 * What a configuration dump is printed from: plain data and encoded resources, so that printing can happen in a process of
 * its own. The descriptors of all of Envoy's types cost 8 MB; a proxy that was asked once should not keep them.
 */
export interface DumpInput {
  readonly query: DumpQuery;
  /** Envoy's Bootstrap as protojson with the .proto files' names. */
  readonly bootstrap: { readonly json: string; readonly lastUpdated: number };
  readonly clusters: { readonly version: string; readonly fixed: readonly DumpEntry[]; readonly dynamic: readonly DumpResource[] };
  readonly listeners: { readonly version: string; readonly fixed: readonly DumpEntry[]; readonly dynamic: readonly DumpResource[] };
  readonly routes: readonly DumpResource[];
  readonly extensions: readonly DumpResource[];
  /** Assignments of EDS clusters by cluster name; the other clusters carry their own. */
  readonly endpoints: readonly (DumpEntry & { readonly name: string })[];
  /** Health of hosts that are not healthy: cluster, then `address:port`, then the status. */
  readonly unhealthy: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly secrets: { readonly fixed: readonly DumpSecret[]; readonly active: readonly DumpSecret[]; readonly warming: readonly string[] };
}

export interface DumpQuery {
  readonly resource?: string;
  readonly mask?: string;
  readonly nameRegex?: string;
  readonly includeEds: boolean;
}

export interface DumpEntry {
  readonly typeUrl: string;
  readonly value: Uint8Array;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly lastUpdated: number;
}

export interface DumpResource {
  readonly name: string;
  readonly active?: DumpEntry;
  readonly warming?: DumpEntry;
  readonly error?: { readonly entry: DumpEntry; readonly details: string };
}

/** Certificates are public; the key is never part of it. */
export interface DumpSecret {
  readonly name: string;
  readonly version: string;
  readonly lastUpdated: number;
  readonly certificateChainPem?: string;
  readonly trustedCaPem?: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}
