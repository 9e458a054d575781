import type { ObjectReader } from "./types.ts";
import type { MeshConfig } from "./mesh-config.ts";

/** Everything that generation reads, at one moment. Immutable; parts that did not change are shared with the last one. */
export interface MeshSnapshot {
  /** Counts snapshots of one registry. */
  readonly generation: number;
  readonly mesh: MeshConfig;
  readonly objects: ObjectReader;
}
