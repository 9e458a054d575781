import type { ClusterSnapshot, Secret, NodeIdentity, DrainOptions } from "../types.ts";
import type { OverloadConfig } from "../overload/index.ts";

/** Resources as they are replayed to a worker that starts late: encoded, so that nothing of the first process's is shared. */
export type ResourceMessage =
  | { readonly kind: "secret"; readonly name: string; readonly secret: Secret | undefined }
  | { readonly kind: "cluster" | "endpoints" | "listener" | "routes" | "extension"; readonly name: string; readonly bytes: Uint8Array };

export type ToWorker =
  | { readonly kind: "start"; readonly node: NodeIdentity; readonly statsConfig: Uint8Array | undefined; readonly overload: OverloadConfig | undefined }
  | ResourceMessage
  | { readonly kind: "remove"; readonly what: "cluster" | "listener" | "routes" | "extension"; readonly name: string }
  | { readonly kind: "drain"; readonly deadlineMs: number }
  | { readonly kind: "drain listeners"; readonly options: DrainOptions }
  | { readonly kind: "fail health checks"; readonly failed: boolean }
  | { readonly kind: "reset counters" }
  | { readonly kind: "stats"; readonly id: number; readonly what: Asked };

export type FromWorker =
  | { readonly kind: "fault"; readonly message: string }
  | { readonly kind: "drained" }
  | { readonly kind: "stats"; readonly id: number; readonly samples: readonly SentSample[] }
  | { readonly kind: "clusters"; readonly id: number; readonly clusters: readonly ClusterSnapshot[] };

/** What a worker is asked for. */
export type Asked = "stats" | "clusters";

/** A StatSample without its object: a number, or a histogram's parts. */
export interface SentSample {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly labels: string;
  readonly dotted: string | undefined;
  readonly value: number;
  readonly histogram?: { readonly bounds: readonly number[]; readonly counts: readonly number[]; readonly sum: number };
}
