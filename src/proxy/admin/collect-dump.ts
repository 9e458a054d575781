import { toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import type { ProxyServer } from "../bootstrap/index.ts";
import { buildVersion } from "./version.ts";
import type { StoredResource, StoredSecret } from "../xds/index.ts";
import type { DumpEntry, DumpInput, DumpQuery, DumpResource, DumpSecret } from "./dump-input.ts";

/** Everything that a dump may show of a running proxy: what is in force, warming or refused. */
export function collectDump(server: ProxyServer, query: DumpQuery): DumpInput {
  const { store, startedAt, deps } = server;
  const { bootstrap, localSecrets } = deps;
  const fixed = (typeUrl: string, value: Uint8Array): DumpEntry => ({ typeUrl, value, version: "", lastUpdated: startedAt });
  const warming = new Set(server.dataPlane.listeners().flatMap(({ name, state }) => (state === "warming" ? [name] : [])));
  const present = new Set([...(localSecrets?.list() ?? []), ...server.staticSecrets.list(), ...server.adsSecrets.list()].map(({ name }) => name));
  return {
    query,
    bootstrap: { json: bootstrapWithAgent(bootstrap.json), lastUpdated: startedAt },
    clusters: {
      version: store.version("CDS"),
      fixed: bootstrap.clusters.map((cluster) => fixed(XDS_TYPES.CDS, toBinary(ClusterSchema, cluster))),
      dynamic: store.list("CDS").map((resource) => dumpResource(resource, false)),
    },
    listeners: {
      version: store.version("LDS"),
      fixed: bootstrap.listeners.map((listener) => fixed(XDS_TYPES.LDS, toBinary(ListenerSchema, listener))),
      dynamic: store.list("LDS").map((resource) => dumpResource(resource, warming.has(resource.name))),
    },
    routes: store.list("RDS").map((resource) => dumpResource(resource, false)),
    extensions: store.list("ECDS").map((resource) => dumpResource(resource, false)),
    endpoints: query.includeEds ? store.list("EDS").flatMap(({ name, active }) => (active ? [{ ...dumpEntry(active), name }] : [])) : [],
    unhealthy: query.includeEds ? unhealthyHosts(server) : {},
    secrets: {
      fixed: server.staticSecrets.list().map(dumpSecret),
      active: [...(localSecrets?.list() ?? []), ...server.adsSecrets.list()].map(dumpSecret),
      warming: server.dataPlane.referenced().secrets.filter((name) => !present.has(name)),
    },
  };
}

/** The page of a node names the program that answers, as Envoy's does. */
function bootstrapWithAgent(json: string): string {
  const document = JSON.parse(json) as { node?: Record<string, unknown> };
  return JSON.stringify({ ...document, node: { ...document.node, user_agent_name: "chainmail", user_agent_build_version: buildVersion() } });
}

function dumpResource(resource: StoredResource, warming: boolean): DumpResource {
  const latest = resource.active && dumpEntry(resource.active);
  const before = resource.previous && dumpEntry(resource.previous);
  return {
    name: resource.name,
    ...(warming ? { ...(latest && { warming: latest }), ...(before && { active: before }) } : latest && { active: latest }),
    ...(resource.error && {
      error: {
        entry: {
          typeUrl: resource.error.any.typeUrl,
          value: resource.error.any.value,
          version: resource.error.version,
          lastUpdated: resource.error.lastAttempt,
        },
        details: resource.error.details,
      },
    }),
  };
}

function dumpEntry({ any, version, lastUpdated }: NonNullable<StoredResource["active"]>): DumpEntry {
  return { typeUrl: any.typeUrl, value: any.value, version, lastUpdated };
}

function dumpSecret({ name, secret, version, lastUpdated }: StoredSecret): DumpSecret {
  return {
    name,
    version,
    lastUpdated,
    ...("trustedCaPem" in secret ? { trustedCaPem: secret.trustedCaPem } : { certificateChainPem: secret.certificateChainPem }),
  };
}

function unhealthyHosts(server: ProxyServer): Record<string, Record<string, string>> {
  const out: Record<string, Record<string, string>> = {};
  for (const cluster of server.dataPlane.clusters()) {
    for (const { address, healthFlags } of cluster.hosts) {
      if (healthFlags.length === 0) continue;
      const status = healthFlags.every((flag) => flag.startsWith("degraded_")) ? "DEGRADED" : "UNHEALTHY";
      (out[cluster.name] ??= {})[`${address.address}:${address.port}`] = status;
    }
  }
  return out;
}
