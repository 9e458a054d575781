import { double, freeObject, int32, map, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import { attachment, duration, enumOf, nullable, oneAttachment, oneOf, optionalBool, rule, rules, text, upTo } from "./parts.ts";

export function telemetry(): Schema {
  const mode = enumOf("CLIENT_AND_SERVER", "CLIENT", "SERVER");
  const match = obj({ mode });
  const providers = plainList(obj({ "name!": text(1) }));
  const operation = '(has(self.operation) ? self.operation : "")';
  const metric = enumOf(
    "ALL_METRICS",
    "REQUEST_COUNT",
    "REQUEST_DURATION",
    "REQUEST_SIZE",
    "RESPONSE_SIZE",
    "TCP_OPENED_CONNECTIONS",
    "TCP_CLOSED_CONNECTIONS",
    "TCP_SENT_BYTES",
    "TCP_RECEIVED_BYTES",
    "GRPC_REQUEST_MESSAGES",
    "GRPC_RESPONSE_MESSAGES",
  );
  const override = obj({
    disabled: optionalBool,
    match: obj({ customMetric: text(1), metric, mode }, oneOf("metric", "customMetric")),
    tagOverrides: map(
      obj(
        { operation: enumOf("UPSERT", "REMOVE"), value: str },
        rules(
          rule(`(${operation} == "UPSERT") ? (self.value != "") : true`, "value must be set when operation is UPSERT"),
          rule(`(${operation} == "REMOVE") ? !has(self.value) : true`, "value must not be set when operation is REMOVE"),
        ),
      ),
    ),
  });
  const named = () => obj({ defaultValue: str, "name!": text(1) });
  const valued = () => obj({ "value!": text(1) });
  const tag = obj({ environment: named(), formatter: valued(), header: named(), literal: valued() }, oneOf("literal", "environment", "header", "formatter"));
  return obj(
    {
      accessLogging: plainList(obj({ disabled: optionalBool, filter: obj({ expression: str }), match, providers })),
      metrics: plainList(obj({ overrides: plainList(override), providers, reportingInterval: duration })),
      ...attachment,
      tracing: plainList(
        obj({
          customTags: map(tag),
          disableContextPropagation: optionalBool,
          disableSpanReporting: optionalBool,
          enableIstioTags: optionalBool,
          match,
          providers,
          randomSamplingPercentage: { ...nullable(double), minimum: 0, maximum: 100 },
          useRequestIdForTraceSampling: optionalBool,
        }),
      ),
    },
    rules(oneAttachment),
  );
}

const trafficMatch = () =>
  plainList(
    obj({
      mode: enumOf("UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"),
      ports: plainList(obj({ "number!": { type: "integer", minimum: 1, maximum: 65535 } }), {
        "x-kubernetes-list-map-keys": ["number"],
        "x-kubernetes-list-type": "map",
      }),
    }),
  );

const wasmFields = (): Record<string, Schema> => ({
  failStrategy: enumOf("FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"),
  imagePullPolicy: enumOf("UNSPECIFIED_POLICY", "IfNotPresent", "Always"),
  imagePullSecret: text(1, 253),
  pluginConfig: freeObject,
  pluginName: text(1, 256),
  sha256: { type: "string", pattern: "(^$|^[a-f0-9]{64}$)" },
  type: enumOf("UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"),
  "url!": {
    ...text(1),
    ...rules(
      rule(
        'isURL(self) ? (url(self).getScheme() in ["", "http", "https", "oci", "file"]) : (isURL("http://" + self) &&\nurl("http://" + self).getScheme() in ["", "http", "https", "oci", "file"])',
        "url must have schema one of [http, https, file, oci]",
      ),
    ),
  },
  verificationKey: str,
  vmConfig: obj({
    env: plainList(
      obj(
        { "name!": text(1, 256), value: upTo(2048), valueFrom: enumOf("INLINE", "HOST") },
        rules(rule('(has(self.valueFrom) ? self.valueFrom : "") != "HOST" || !has(self.value)', "value may only be set when valueFrom is INLINE")),
      ),
      { maxItems: 256, "x-kubernetes-list-map-keys": ["name"], "x-kubernetes-list-type": "map" },
    ),
  }),
});

const phase = (unset: string) => enumOf(unset, "AUTHN", "AUTHZ", "STATS");

export function wasmPlugin(): Schema {
  return obj({ ...wasmFields(), match: trafficMatch(), phase: phase("UNSPECIFIED_PHASE"), priority: nullable(int32), ...attachment }, rules(oneAttachment));
}

export function trafficExtension(): Schema {
  return obj(
    {
      lua: obj({ "inlineCode!": text(1, 65536) }),
      match: trafficMatch(),
      phase: phase("UNSPECIFIED"),
      priority: nullable(int32),
      ...attachment,
      wasm: obj(wasmFields()),
    },
    { ...oneOf("wasm", "lua"), ...rules(oneAttachment) },
  );
}
