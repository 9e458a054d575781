import { create, fromBinary, fromJson, toBinary, type JsonValue } from "@bufbuild/protobuf";
import { join } from "node:path";
import { ClusterSchema } from "../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../src/proto/gen/envoy/config/route/v3/route_pb.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from "../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { loadRegistry, packAny, XDS_TYPES } from "../../src/proto/index.ts";
import { serveGrpcUnix, type GrpcCall } from "../../src/proxy/grpc/index.ts";
import type { Row } from "../run.ts";
import type { Role } from "./certificates.ts";
import { listener, routes, upstream } from "./envoy-config.ts";
import type { Hop } from "./hop.ts";
import { load } from "./http-load.ts";
import { ratio, type Part } from "./part.ts";
import { startPair } from "./peers.ts";
import { median } from "./processes.ts";

const ROUNDS = 3;
const SECONDS = 4;
/** Enough that some request is always under way when a change comes. */
const CONNECTIONS = 8;
const CHANGE_MS = 100;
const ROLES: readonly Role[] = ["client", "server"];

/** What clients feel of new clusters and routes 10 times a second. HAProxy and nginx have no such way to be configured. */
export const churn: Part = async ({ peers, pairOptions, http }) => {
  const registry = await loadRegistry();
  const rows: Row[] = [];
  const added = new Map<string, number>();
  for (const peer of peers.filter(({ name }) => name === "chainmail" || name === "envoy")) {
    const planes: Record<Role, ControlPlane> = { client: new ControlPlane(), server: new ControlPlane() };
    const ads: Record<Role, string> = {
      client: join(pairOptions.folder, `${peer.name}-client.sock`),
      server: join(pairOptions.folder, `${peer.name}-server.sock`),
    };
    const servers = ROLES.map((role) => serveGrpcUnix(ads[role], (call) => planes[role].accept(call)));
    const announce = (hop: Hop): void => planes[hop.role].serve(hop, registry);
    const pair = await startPair(peer, { ...pairOptions, backendPort: http, ads, announce });
    try {
      await load(pair, CONNECTIONS, 1);
      const quiet: number[] = [];
      const changing: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        quiet.push((await load(pair, CONNECTIONS, SECONDS)).p99);
        const timer = setInterval(() => ROLES.forEach((role) => planes[role].change()), CHANGE_MS);
        changing.push((await load(pair, CONNECTIONS, SECONDS)).p99);
        clearInterval(timer);
        for (const role of ROLES) planes[role].check();
      }
      added.set(peer.name, median(changing) - median(quiet));
      rows.push({
        name: `${peer.name}: p99, ${CONNECTIONS} conn, configuration still`,
        value: median(quiet),
        unit: "us",
        how: `median of ${ROUNDS} x ${SECONDS} s`,
      });
      rows.push({
        name: `${peer.name}: added p99 while it changes`,
        value: median(changing) - median(quiet),
        unit: "us",
        how: `clusters and routes of both hops anew every ${CHANGE_MS} ms`,
      });
    } finally {
      await pair.stop();
      for (const server of servers) server.stop();
    }
  }
  return rows.concat(ratio("p99 added by changes", added, undefined, ""));
};

type Registry = Awaited<ReturnType<typeof loadRegistry>>;

/** State-of-the-world ADS for one hop: each change is a new cluster beside the old and a new route table. */
class ControlPlane {
  #hop!: Hop;
  #registry!: Registry;
  #version = 0;
  #call: GrpcCall | undefined;
  #asked = new Set<string>();
  #acknowledged = 0;
  #refusal = "";

  serve(hop: Hop, registry: Registry): void {
    this.#hop = hop;
    this.#registry = registry;
  }

  change(): void {
    this.#version++;
    for (const type of [XDS_TYPES.CDS, XDS_TYPES.RDS]) if (this.#asked.has(type)) this.#send(type);
  }

  /** Throws unless the proxy has taken what was sent: a proxy that ignores changes is not slowed by them. */
  check(): void {
    if (this.#refusal !== "") throw new Error(`the configuration was refused: ${this.#refusal}`);
    if (this.#acknowledged < this.#version) throw new Error(`${this.#acknowledged} acknowledgements for ${this.#version} changes`);
  }

  accept(call: GrpcCall): { message(bytes: Uint8Array): void; closed(): void } {
    this.#call = call;
    this.#asked.clear();
    return {
      message: (bytes) => {
        const { typeUrl, versionInfo, errorDetail } = fromBinary(DiscoveryRequestSchema, bytes);
        if (errorDetail) this.#refusal = errorDetail.message;
        else if (versionInfo !== "") this.#acknowledged++;
        if (this.#asked.has(typeUrl)) return;
        this.#asked.add(typeUrl);
        this.#send(typeUrl);
      },
      closed: () => {
        this.#call = undefined;
      },
    };
  }

  #send(typeUrl: string): void {
    const resources = this.#resources(typeUrl);
    if (!resources) return;
    const version = String(this.#version);
    this.#call?.send(
      toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { typeUrl, versionInfo: version, nonce: `${typeUrl}/${version}`, resources })),
    );
  }

  #resources(typeUrl: string) {
    const registry = this.#registry;
    const json = (value: unknown) => value as JsonValue;
    switch (typeUrl) {
      case XDS_TYPES.LDS:
        return [packAny(ListenerSchema, fromJson(ListenerSchema, json(listener(this.#hop)), { registry }))];
      case XDS_TYPES.CDS: {
        const cluster = upstream(this.#hop) as { name: string };
        const other = { ...cluster, name: `other-${this.#version % 10}` };
        return [cluster, other].map((each) => packAny(ClusterSchema, fromJson(ClusterSchema, json(each), { registry })));
      }
      case XDS_TYPES.RDS:
        return [packAny(RouteConfigurationSchema, fromJson(RouteConfigurationSchema, json(routes(this.#version)), { registry }))];
      default:
        return undefined;
    }
  }
}
