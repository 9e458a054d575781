import type { KubeObject } from "../../resources/index.ts";
import type { ConfigIndex } from "./config-index.ts";
import type { ServiceBackends } from "./endpoint-index.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { Networks } from "./networks.ts";
import { isRegistryKind, ObjectStore } from "./object-store.ts";
import type { ServiceIndex } from "./service-index.ts";
import type { MeshService } from "./service.ts";
import { SnapshotBuilder, type SnapshotOptions } from "./snapshot-builder.ts";
import type { ObjectReader } from "./types.ts";

/**
 * Everything that generation reads, at one moment. Parts that did not change are the same objects as in the last one, so
 * what was made from them can be kept by identity.
 */
export interface MeshSnapshot {
  /** Counts the snapshots of one registry. */
  readonly generation: number;
  readonly mesh: MeshConfig;
  /** The cluster's DNS domain, `cluster.local`. */
  readonly domain: string;
  readonly clusterId: string;
  readonly services: ServiceIndex;
  readonly networks: Networks;
  readonly configs: ConfigIndex;
  backends(service: MeshService): ServiceBackends;
  /** Objects that stay the same for as long as no service's endpoints, or their identities, differ. */
  readonly revisions: { readonly endpoints: object; readonly identities: object };
  /** The objects behind it. They are current, not of the snapshot's moment. */
  readonly objects: ObjectReader;
}

/** A snapshot of objects from files. Objects of kinds that the mesh does not read are left out. */
export function snapshotOf(objects: readonly KubeObject[], options: Partial<SnapshotOptions> = {}): MeshSnapshot {
  const builder = new SnapshotBuilder(new ObjectStore(), options);
  for (const object of objects) if (isRegistryKind(object.kind)) builder.set(object.kind, object);
  return builder.build().snapshot;
}
