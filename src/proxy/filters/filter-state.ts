import type { FilterStateValue } from "../../proto/gen/envoy/extensions/filters/common/set_filter_state/v3/value_pb.ts";
import { compileSubstitution } from "../telemetry/access-log.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource } from "../types.ts";

/** Names of objects that a connection or a request can be given, and that are text here: what Envoy has factories for. */
const FACTORIES: ReadonlySet<string> = new Set([
  "envoy.string",
  "envoy.hashable_string",
  "envoy.network.application_protocols",
  "envoy.network.upstream_server_name",
  "envoy.network.upstream_subject_alt_names",
  "envoy.network.transport_socket.original_dst_address",
  "envoy.tcp_proxy.cluster",
  "envoy.tcp_proxy.disable_tunneling",
  "envoy.tcp_proxy.per_connection_idle_timeout_ms",
  "envoy.upstream.dynamic_host",
  "envoy.upstream.dynamic_port",
  "envoy.filters.listener.original_dst.local_ip",
  "envoy.filters.listener.original_dst.remote_ip",
  "envoy.ratelimit.hits_addend",
  "envoy.network.ip",
  "envoy.geoip",
]);

/** Compiles values into a function that puts them into a state, one after the other. Throws InvalidResource. */
export function compileStateValues(values: readonly FilterStateValue[], hostname: string): (state: Map<string, string>, info: StreamInfo) => void {
  const all = values.map((proto) => {
    const key = proto.key.value ?? "";
    const factory = proto.factoryKey === "" ? key : proto.factoryKey;
    if (key === "") throw new InvalidResource("INVALID_FILTER_STATE", "FilterStateValueValidationError.ObjectKey: value length must be at least 1 characters");
    if (!FACTORIES.has(factory)) throw new InvalidResource("INVALID_FILTER_STATE", `'${factory}' does not have an object factory`);
    if (proto.value.case !== "formatString") throw new InvalidResource("INVALID_FILTER_STATE", "FilterStateValueValidationError.Value: value is required");
    return {
      key,
      skipEmpty: proto.skipIfEmpty,
      write: compileSubstitution(proto.value.value, { missing: proto.value.value.omitEmptyValues ? "" : "-", hostname }),
    };
  });
  return (state, info) => {
    for (const { key, skipEmpty, write } of all) {
      const value = write(info);
      if (value !== "" || !skipEmpty) state.set(key, value);
    }
  };
}
