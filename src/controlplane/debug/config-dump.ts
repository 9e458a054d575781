import { create, type Registry as TypeRegistry, toJson } from "@bufbuild/protobuf";
import { AnySchema, anyPack, type Any } from "@bufbuild/protobuf/wkt";
import {
  ClustersConfigDumpSchema,
  EcdsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
  ScopedRoutesConfigDumpSchema,
} from "../../proto/gen/envoy/admin/v3/config_dump_shared_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import type { MeshSnapshot } from "../registry/snapshot.ts";
import type { XdsGenerator, XdsResource } from "../xds/types.ts";
import type { ConnectionView } from "./views.ts";

/** Parts that istiod does not know. They have nothing in them, and their types would bring half of Envoy's along at start. */
const EMPTY_BOOTSTRAP = create(AnySchema, { typeUrl: "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump" });
const EMPTY_SECRETS = create(AnySchema, { typeUrl: "type.googleapis.com/envoy.admin.v3.SecretsConfigDump" });

/**
 * What istiod would send this proxy now, in the parts of Envoy's own config dump. Secrets are left out: whoever may
 * read configuration may not read keys.
 */
export function configDump(connection: ConnectionView, snapshot: MeshSnapshot, generator: XdsGenerator, version: string): Any[] {
  const { node, watches } = connection;
  const generate = (typeUrl: string, names?: readonly string[]): readonly XdsResource[] => generator.generate(node, snapshot, typeUrl, names);
  const any = ({ typeUrl, value }: XdsResource): Any => create(AnySchema, { typeUrl, value });
  const routes = watches.get(XDS_TYPES.RDS);
  return [
    EMPTY_BOOTSTRAP,
    anyPack(
      ClustersConfigDumpSchema,
      create(ClustersConfigDumpSchema, { versionInfo: version, dynamicActiveClusters: generate(XDS_TYPES.CDS).map((r) => ({ cluster: any(r) })) }),
    ),
    anyPack(
      ListenersConfigDumpSchema,
      create(ListenersConfigDumpSchema, {
        versionInfo: version,
        dynamicListeners: generate(XDS_TYPES.LDS).map((r) => ({ name: r.name, activeState: { versionInfo: version, listener: any(r) } })),
      }),
    ),
    anyPack(ScopedRoutesConfigDumpSchema, create(ScopedRoutesConfigDumpSchema)),
    anyPack(
      RoutesConfigDumpSchema,
      create(RoutesConfigDumpSchema, {
        dynamicRouteConfigs: generate(XDS_TYPES.RDS, [...(routes?.names ?? [])]).map((r) => ({ versionInfo: version, routeConfig: any(r) })),
      }),
    ),
    EMPTY_SECRETS,
    anyPack(EcdsConfigDumpSchema, create(EcdsConfigDumpSchema)),
  ];
}

/** `{"configs": […]}` in protojson. */
export function configDumpJson(configs: Any[], registry: TypeRegistry): unknown {
  return { configs: configs.map((config) => toJson(AnySchema, config, { registry })) };
}

/** Resources as protojson, for `/debug/edsz` and `/debug/ndsz`. */
export function resourcesJson(resources: readonly XdsResource[], registry: TypeRegistry): unknown[] {
  return resources.map(({ typeUrl, value }) => {
    const json = toJson(AnySchema, create(AnySchema, { typeUrl, value }), { registry });
    if (typeof json === "object" && json !== null && !Array.isArray(json)) delete json["@type"];
    return json;
  });
}
