import { fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Clock, Logger } from "../../base/index.ts";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { TypedExtensionConfigSchema } from "../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { NameTableSchema, type NameTable } from "../../proto/gen/istio/nds/nds_pb.ts";
import { XDS_TYPES, type XdsTypeName } from "../../proto/index.ts";
import type { DataPlaneApi } from "../data-plane.ts";
import { InvalidResource } from "../types.ts";
import type { XdsUpdate } from "./protocol.ts";
import { readSecret } from "./read-secret.ts";
import type { SecretStore } from "./secrets.ts";
import type { XdsStore } from "./store.ts";

/** Types whose names follow from other resources. */
export type NamedType = "EDS" | "RDS" | "SDS" | "ECDS";

export interface ApplierDeps {
  readonly dataPlane: Pick<
    DataPlaneApi,
    | "setCluster"
    | "removeCluster"
    | "setEndpoints"
    | "setListener"
    | "removeListener"
    | "setRouteConfiguration"
    | "removeRouteConfiguration"
    | "setExtension"
    | "removeExtension"
    | "referenced"
    | "listeners"
  >;
  readonly store: XdsStore;
  /** Where secrets go that come over ADS. */
  readonly secrets: SecretStore;
  /** Who answers for the mesh's names; without, the table is not asked for. */
  readonly nameTable?: ((table: NameTable) => void) | undefined;
  /** True for secrets that somebody else provides, such as the workload's own certificate. */
  readonly providedLocally: (name: string) => boolean;
  /** Told the encoded size of each resource after it was taken. */
  readonly onTaken?: ((bytes: number) => void) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Puts updates into the data plane one resource at a time: a bad one is refused by name and its last good version goes
 * on, the others of the same answer take effect.
 */
export class ConfigApplier {
  readonly #deps: ApplierDeps;
  /** Names that the control plane answered with "there is none". */
  readonly #absent = new Map<NamedType, Set<string>>([
    ["EDS", new Set()],
    ["RDS", new Set()],
    ["SDS", new Set()],
    ["ECDS", new Set()],
  ]);

  constructor(deps: ApplierDeps) {
    this.#deps = deps;
  }

  /** Types that are asked for as a whole. */
  get wholeTypes(): XdsTypeName[] {
    return this.#deps.nameTable ? ["CDS", "LDS", "NDS"] : ["CDS", "LDS"];
  }

  /** Returns the reasons for a NACK; undefined when all of it was taken. */
  apply(update: XdsUpdate): string | undefined {
    const { store, clock, log, onTaken } = this.#deps;
    const { type } = update;
    const stats = store.stats(type);
    stats.updateAttempt++;
    const errors: string[] = [];
    // A listener that goes may free the address of one that comes; clusters and routes are made before others break.
    if (type === "LDS") this.#removeAll(update);
    for (const { name, version, any } of update.resources) {
      this.#absent.get(type as NamedType)?.delete(name);
      try {
        if (!store.unchanged(type, name, any)) this.#set(type, name, any, version);
        store.accept(type, name, any, version, clock.now());
        onTaken?.(any.value.length);
      } catch (error) {
        const details = error instanceof Error ? error.message : String(error);
        if (!(error instanceof InvalidResource))
          log.error("resource could not be applied", { type, name, error: details, stack: error instanceof Error ? error.stack : undefined });
        store.refuse(type, name, any, version, details, clock.now());
        errors.push(`${name}: ${details}`);
      }
    }
    if (type !== "LDS") this.#removeAll(update);
    this.#settle(type);
    if (errors.length === 0) {
      store.setVersion(type, update.version);
      stats.updateSuccess++;
      return undefined;
    }
    stats.updateRejected++;
    return `Error adding/updating ${PLURAL[type]} ${errors.join("\n")}\n`;
  }

  /** Forgets what nothing refers to any more, so that a name that comes back starts from the control plane's answer. */
  prune(type: NamedType): void {
    const wanted = this.wanted(type);
    const { store, dataPlane, secrets } = this.#deps;
    for (const { name } of store.list(type)) {
      if (wanted.has(name)) continue;
      store.remove(type, name);
      if (type === "RDS") dataPlane.removeRouteConfiguration(name);
      else if (type === "SDS") secrets.remove(name);
      else if (type === "ECDS") dataPlane.removeExtension?.(name);
    }
    const absent = this.#absent.get(type);
    for (const name of absent ?? []) if (!wanted.has(name)) absent?.delete(name);
  }

  /** The names that the resources in force and warming refer to. */
  wanted(type: NamedType): Set<string> {
    const names = this.#deps.dataPlane.referenced();
    if (type === "EDS") return new Set(names.eds);
    if (type === "RDS") return new Set(names.rds);
    if (type === "ECDS") return new Set(names.extensions);
    return new Set(names.secrets.filter((name) => !this.#deps.providedLocally(name)));
  }

  /** Wanted names that the control plane has not answered for. */
  unanswered(type: NamedType): string[] {
    const absent = this.#absent.get(type);
    return [...this.wanted(type)].filter((name) => !this.#deps.store.get(type, name) && !absent?.has(name));
  }

  #set(type: XdsTypeName, name: string, any: Any, version: string): void {
    if (any.typeUrl !== XDS_TYPES[type]) throw new InvalidResource("XDS_TYPE_MISMATCH", `resource has type ${any.typeUrl}`);
    const { dataPlane, store, secrets, clock } = this.#deps;
    switch (type) {
      case "CDS": {
        const cluster = fromBinary(ClusterSchema, any.value);
        dataPlane.setCluster(cluster);
        // A changed cluster starts without endpoints; those that we hold are still right.
        const held = store.get("EDS", cluster.edsClusterConfig?.serviceName || name)?.active;
        if (held) dataPlane.setEndpoints(fromBinary(ClusterLoadAssignmentSchema, held.any.value));
        return;
      }
      case "EDS":
        return dataPlane.setEndpoints(fromBinary(ClusterLoadAssignmentSchema, any.value));
      case "LDS":
        return dataPlane.setListener(fromBinary(ListenerSchema, any.value));
      case "RDS":
        return dataPlane.setRouteConfiguration(fromBinary(RouteConfigurationSchema, any.value));
      case "SDS":
        return secrets.set(name, readSecret(fromBinary(SecretSchema, any.value)), version, clock.now());
      case "ECDS": {
        const { typedConfig } = fromBinary(TypedExtensionConfigSchema, any.value);
        if (!typedConfig) throw new InvalidResource("INVALID_EXTENSION", `extension configuration ${name} has no typed_config`);
        dataPlane.setExtension?.(name, typedConfig);
        return;
      }
      case "NDS":
        this.#deps.nameTable?.(fromBinary(NameTableSchema, any.value));
        return;
      default:
        throw new InvalidResource("XDS_TYPE_UNSUPPORTED", `${type} is not supported`);
    }
  }

  /** Routes and secrets may have ended the warming of listeners. */
  #settle(type: XdsTypeName): void {
    const { store, dataPlane } = this.#deps;
    if (type === "CDS" || type === "EDS") return store.settle(type, NONE);
    store.settle("LDS", new Set(dataPlane.listeners().flatMap(({ name, state }) => (state === "warming" ? [name] : []))));
    if (type !== "LDS") store.settle(type, NONE);
  }

  #removeAll({ type, removed }: XdsUpdate): void {
    const { dataPlane, secrets, store } = this.#deps;
    for (const name of removed) {
      this.#absent.get(type as NamedType)?.add(name);
      if (!store.get(type, name)) continue;
      store.remove(type, name);
      if (type === "CDS") dataPlane.removeCluster(name);
      else if (type === "LDS") dataPlane.removeListener(name);
      else if (type === "RDS") dataPlane.removeRouteConfiguration(name);
      else if (type === "SDS") secrets.remove(name);
      else if (type === "ECDS") dataPlane.removeExtension?.(name);
      // Endpoints go with their cluster; until then the last ones stay in force, as in Envoy.
    }
  }
}

/** The resource's own name, which state-of-the-world answers do not repeat beside it. */
export function resourceName(type: XdsTypeName, any: Any): string {
  switch (type) {
    case "CDS":
      return fromBinary(ClusterSchema, any.value).name;
    case "EDS":
      return fromBinary(ClusterLoadAssignmentSchema, any.value).clusterName;
    case "LDS":
      return fromBinary(ListenerSchema, any.value).name;
    case "RDS":
      return fromBinary(RouteConfigurationSchema, any.value).name;
    case "SDS":
      return fromBinary(SecretSchema, any.value).name;
    case "ECDS":
      return fromBinary(TypedExtensionConfigSchema, any.value).name;
    default:
      return "";
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Envoy's words in a NACK, which people search for. */
const PLURAL: Record<XdsTypeName, string> = {
  CDS: "cluster(s)",
  EDS: "endpoint(s)",
  LDS: "listener(s)",
  RDS: "route configuration(s)",
  SDS: "secret(s)",
  ECDS: "extension configuration(s)",
  NDS: "name table(s)",
};
