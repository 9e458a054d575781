import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ClientConfigSchema, ConfigStatus, type ClientConfig } from "../../proto/gen/envoy/service/status/v3/csds_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import { iso, proxyName, type ConnectionView, type WatchView } from "./views.ts";

/** In the order in which istioctl and Kiali show them. */
const SHOWN: readonly { typeUrl: string; field?: string }[] = [
  { typeUrl: XDS_TYPES.CDS, field: "cluster" },
  { typeUrl: XDS_TYPES.EDS, field: "endpoint" },
  { typeUrl: XDS_TYPES.LDS, field: "listener" },
  { typeUrl: XDS_TYPES.RDS, field: "route" },
  { typeUrl: XDS_TYPES.ECDS },
  { typeUrl: XDS_TYPES.SDS },
];
/** The flat fields, which older readers use, come in this order. */
const FLAT = [XDS_TYPES.CDS, XDS_TYPES.LDS, XDS_TYPES.RDS, XDS_TYPES.EDS];

/** One element of `/debug/syncz`. */
export function syncStatus(connection: ConnectionView): Record<string, unknown> {
  const { node, watches } = connection;
  const out: Record<string, unknown> = {
    cluster_id: node.clusterId,
    proxy: proxyName(connection),
    proxy_type: node.type,
    istio_version: node.istioVersion,
  };
  for (const typeUrl of FLAT) {
    const watch = watches.get(typeUrl);
    const field = SHOWN.find((s) => s.typeUrl === typeUrl)?.field;
    if (!watch?.nonceSent || !field) continue;
    out[`${field}_sent`] = watch.nonceSent;
    if (watch.nonceAcked) out[`${field}_acked`] = watch.nonceAcked;
  }
  const resources: Record<string, unknown> = {};
  for (const { typeUrl } of SHOWN) {
    const watch = watches.get(typeUrl);
    if (!watch?.nonceSent) continue;
    resources[typeUrl] = {
      sent: watch.nonceSent,
      ...(watch.nonceAcked ? { acked: watch.nonceAcked } : {}),
      ...(watch.error === undefined ? {} : { error: watch.error }),
      sentTime: iso(watch.sentAt),
    };
  }
  return { ...out, resources };
}

/** The same as `istioctl proxy-status` gets it over xDS. */
export function clientConfig(connection: ConnectionView): ClientConfig {
  const { node, watches } = connection;
  return create(ClientConfigSchema, {
    node: {
      id: proxyName(connection),
      metadata: { CLUSTER_ID: node.clusterId, ISTIO_VERSION: node.istioVersion, NAMESPACE: node.namespace },
    },
    genericXdsConfigs: SHOWN.flatMap(({ typeUrl }) => {
      const watch = watches.get(typeUrl);
      if (!watch) return [];
      return [
        {
          typeUrl,
          configStatus: statusOf(watch),
          ...(watch.sentAt > 0 ? { lastUpdated: timestampFromMs(watch.sentAt) } : {}),
          ...(watch.error === undefined ? {} : { errorState: { details: watch.error, versionInfo: watch.nonceSent } }),
        },
      ];
    }),
  });
}

function statusOf(watch: WatchView): ConfigStatus {
  if (watch.error !== undefined) return ConfigStatus.ERROR;
  if (watch.nonceSent === "") return ConfigStatus.NOT_SENT;
  return watch.nonceSent === watch.nonceAcked ? ConfigStatus.SYNCED : ConfigStatus.STALE;
}
