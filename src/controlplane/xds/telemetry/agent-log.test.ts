import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { FileAccessLogSchema } from "../../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import { HttpConnectionManagerSchema } from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { TcpProxySchema } from "../../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { unpackAny, XDS_TYPES } from "../../../proto/index.ts";
import type { KubeObject } from "../../../resources/index.ts";
import { snapshotOf } from "../../registry/index.ts";
import { createGenerator } from "../generator.ts";
import { parseNode } from "../node.ts";
import type { AccessLog } from "./access-log.ts";

const MESH: KubeObject = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "istio", namespace: "istio-system" },
  data: { mesh: "accessLogFile: /dev/stdout\ndefaultProviders: {metrics: [prometheus]}\n" },
} as KubeObject;
const PATH = "/dev/fd/3";

function listeners(metadata: Record<string, unknown>, objects: KubeObject[] = []): Listener[] {
  const node = parseNode("sidecar~10.0.0.1~web.a~a.svc.cluster.local", { NAMESPACE: "a", INTERCEPTION_MODE: "REDIRECT", LABELS: {}, ...metadata });
  return createGenerator()
    .generate(node, snapshotOf([MESH, ...objects]), XDS_TYPES.LDS)
    .map(({ value }) => fromBinary(ListenerSchema, value));
}

const paths = (logs: AccessLog[]): string[] => logs.map(({ configType }) => unpackAny(FileAccessLogSchema, configType.value)?.path ?? "");

function inbound(listeners: Listener[]): {
  listener: Listener;
  http: string[];
  tcp: string[];
  tcpFilters: (string | undefined)[];
  interval: bigint | undefined;
} {
  const listener = listeners.find(({ name }) => name === "virtualInbound");
  if (!listener) throw new Error("no virtualInbound");
  const configs = listener.filterChains.flatMap(({ filters }) =>
    filters.map(({ configType }) => (configType.case === "typedConfig" ? configType.value : undefined)),
  );
  const http = configs.flatMap((config) => unpackAny(HttpConnectionManagerSchema, config) ?? [])[0];
  const tcp = configs.flatMap((config) => unpackAny(TcpProxySchema, config) ?? []).find(({ accessLog }) => accessLog.length > 0);
  return {
    listener,
    http: paths(http?.accessLog ?? []),
    tcp: paths(tcp?.accessLog ?? []),
    tcpFilters: (tcp?.accessLog ?? []).map(({ filter }) => filter?.filterSpecifier.case),
    interval: tcp?.accessLogOptions?.accessLogFlushInterval?.seconds,
  };
}

test("a plain Envoy whose agent reads a log is given one, beside what the mesh logs", () => {
  const { listener, http, tcp, tcpFilters, interval } = inbound(listeners({ CHAINMAIL_DIALECT: "envoy", CHAINMAIL_TELEMETRY_PATH: PATH }));
  expect(http).toEqual(["/dev/stdout", PATH]);
  expect(tcp).toEqual(["/dev/stdout", PATH]);
  expect(paths(listener.accessLog)).toEqual(["/dev/stdout", PATH]);
  // The mesh's log hears of a connection once, the agent's also while it lasts.
  expect(tcpFilters).toEqual(["logTypeFilter", undefined]);
  expect(interval).toBe(15n);
});

test("nobody else is: not a proxy that counts itself, not an Envoy without such an agent, not where metrics are off", () => {
  const off: KubeObject = {
    apiVersion: "telemetry.istio.io/v1",
    kind: "Telemetry",
    metadata: { name: "off", namespace: "istio-system" },
    spec: { metrics: [{ providers: [{ name: "prometheus" }], overrides: [{ disabled: true }] }] },
  } as KubeObject;
  for (const [metadata, objects] of [
    [{ CHAINMAIL_TELEMETRY_PATH: PATH }, []],
    [{ CHAINMAIL_DIALECT: "envoy" }, []],
    [{ CHAINMAIL_DIALECT: "envoy", CHAINMAIL_TELEMETRY_PATH: "relative" }, []],
    [{ CHAINMAIL_DIALECT: "envoy", CHAINMAIL_TELEMETRY_PATH: PATH }, [off]],
  ] as [Record<string, unknown>, KubeObject[]][]) {
    const { http, tcp, interval } = inbound(listeners(metadata, objects));
    expect([http, tcp, interval]).toEqual([["/dev/stdout"], ["/dev/stdout"], undefined]);
  }
});
