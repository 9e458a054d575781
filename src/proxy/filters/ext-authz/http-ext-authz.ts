import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
  type BufferSettings,
  type ExtAuthz,
} from "../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts";
import type { HeaderMap } from "../../http/header-map.ts";
import type { HttpStream } from "../../http/http-stream.ts";
import { compileMetadata } from "../../match/values.ts";
import { fraction } from "../../router/route-match.ts";
import type { Services } from "../../services.ts";
import { InvalidResource } from "../../types.ts";
import type { HttpFilter, HttpFilterFactory } from "../http-filter.ts";
import { routeConfigOf } from "../typed-config.ts";
import { anyOf, compileGrpcCheck, compileHttpCheck, type Check, type Decision, type HeaderChange } from "./check.ts";

const METADATA = "envoy.filters.http.ext_authz";

/** `envoy.filters.http.ext_authz`: another service decides on each request (Istio's CUSTOM policies). */
export const extAuthzFilter: HttpFilterFactory = {
  typeNames: [ExtAuthzSchema.typeName],
  routeTypeNames: [ExtAuthzPerRouteSchema.typeName],
  checkRoute: (config) => void config.read(ExtAuthzPerRouteSchema),
  create(config, context) {
    const proto = config.read(ExtAuthzSchema);
    const check = compileCheck(proto, context.services);
    const whole = compile(proto, check, proto.withRequestBody, {}, context.services);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        const override = own.config?.read(ExtAuthzPerRouteSchema).override;
        if (override?.case === "disabled") return override.value ? undefined : whole;
        if (override?.case !== "checkSettings") return whole;
        const { contextExtensions, disableRequestBodyBuffering, withRequestBody } = override.value;
        return compile(proto, check, disableRequestBodyBuffering ? undefined : (withRequestBody ?? proto.withRequestBody), contextExtensions, context.services);
      },
    };
  },
};

function compileCheck(proto: ExtAuthz, services: Services): Check {
  const allowed = proto.allowedHeaders && anyOf(proto.allowedHeaders);
  const disallowed = anyOf(proto.disallowedHeaders);
  const sends = (name: string): boolean => (allowed === undefined || allowed(name)) && !disallowed(name);
  switch (proto.services.case) {
    case "grpcService":
      return compileGrpcCheck(proto.services.value, services, sends);
    case "httpService":
      return compileHttpCheck(proto.services.value, services, proto.allowedHeaders);
    case undefined:
      throw new InvalidResource("INVALID_EXT_AUTHZ", "ext_authz has no service");
  }
}

function compile(
  proto: ExtAuthz,
  check: Check,
  buffering: BufferSettings | undefined,
  contextExtensions: { readonly [key: string]: string },
  services: Services,
): HttpFilter {
  const enabledBy = proto.filterEnabledMetadata && compileMetadata(proto.filterEnabledMetadata);
  const share = proto.filterEnabled?.defaultValue ? fraction(proto.filterEnabled.defaultValue) : 1;
  const errorStatus = proto.statusOnError?.code || 403;
  const filter: HttpFilter = {
    onRequest(stream) {
      if (enabledBy && !enabledBy((name) => stream.dynamicMetadata?.get(name))) return "continue";
      if (share < 1 && services.random() >= share) return "continue";
      if (!buffering || stream.requestEnded) ask(stream, undefined);
      else {
        stream.bufferBody(buffering.maxRequestBytes, (bytes, whole) => {
          if (whole || buffering.allowPartialMessage) ask(stream, bytes, !whole);
          else stream.localReply({ status: 413, body: "Payload Too Large", details: "request_payload_too_large" });
        });
      }
      return stream.decided(filter) ? "continue" : "stop";
    },
    onReset(stream) {
      (stream.filterState?.get(filter) as { cancel?: () => void } | undefined)?.cancel?.();
    },
    onResponse(stream) {
      const changes = (stream.filterState?.get(filter) as { response?: readonly HeaderChange[] } | undefined)?.response;
      if (changes && stream.responseHeaders) applyChanges(stream.responseHeaders, changes);
      return "continue";
    },
  };
  const ask = (stream: HttpStream, bytes: Buffer | undefined, partial = false): void => {
    const body = bytes && buffering ? { bytes, asBytes: buffering.packAsBytes, partial } : undefined;
    const asked = services.monotonic();
    const state: { cancel?: () => void; response?: readonly HeaderChange[] } = {};
    (stream.filterState ??= new Map()).set(filter, state);
    const cancel = check(
      { info: stream, body, contextExtensions, metadataNamespaces: proto.metadataContextNamespaces, includePeerCertificate: proto.includePeerCertificate },
      (decision) => {
        delete state.cancel;
        if (stream.done) return;
        // How long it took stands beside what the service says of the request.
        if (decision.kind === "allow" && Object.keys(decision.metadata).length > 0)
          stream.setMetadata(METADATA, "ext_authz_duration", Math.floor(services.monotonic() - asked));
        decide(stream, decision, state);
      },
    );
    if (!stream.decided(filter)) state.cancel = cancel;
  };
  const decide = (stream: HttpStream, decision: Decision, state: { response?: readonly HeaderChange[] }): void => {
    if (decision.kind === "deny") {
      stream.localReply({ status: decision.status, body: decision.body, details: "ext_authz_denied", flag: "UAEX", headers: decision.headers });
      return;
    }
    if (decision.kind === "error") {
      services.log.debug("an authorization check failed", { reason: decision.reason, path: stream.request.path });
      if (!proto.failureModeAllow) {
        stream.localReply({ status: errorStatus, body: "", details: "ext_authz_error", flag: "UAEX" });
        return;
      }
      if (proto.failureModeAllowHeaderAdd) stream.request.headers.set("x-envoy-auth-failure-mode-allowed", "true");
    } else {
      applyChanges(stream.request.headers, decision.request);
      for (const name of decision.remove) if (!name.startsWith(":") && name !== "host") stream.request.headers.remove(name);
      for (const [key, value] of Object.entries(decision.metadata)) stream.setMetadata(METADATA, key, value);
      state.response = decision.response;
      if (proto.clearRouteCache) stream.refreshRoute();
    }
    stream.proceed(filter);
  };
  return filter;
}

function applyChanges(headers: HeaderMap, changes: readonly HeaderChange[]): void {
  for (const { name, value, how } of changes) {
    if (how === "append") headers.append(name, value);
    else if (how === "set" || (how === "add_if_absent") !== headers.has(name)) headers.set(name, value);
  }
}
