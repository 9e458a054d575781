import { bool, bytes, double, int32, map, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import { duration, enumOf, nullable, oneOf, optionalBool, strings, uint32 } from "./parts.ts";
import { destination } from "./traffic-policy.ts";

const stringMatch = (): Schema => obj({ exact: str, prefix: str, regex: str }, oneOf("exact", "prefix", "regex"));
const percent = (): Schema => obj({ value: double });
const headerOperations = () => obj({ add: map(str), remove: strings, set: map(str) });
const headers = () => obj({ request: headerOperations(), response: headerOperations() });

export function virtualService(): Schema {
  return obj({
    exportTo: strings,
    gateways: strings,
    hosts: strings,
    http: plainList(httpRoute()),
    tcp: plainList(obj({ match: plainList(obj({ ...l4Match(), sourceSubnet: str })), route: l4Route() })),
    tls: plainList(obj({ "match!": plainList(obj({ ...l4Match(), "sniHosts!": strings })), route: l4Route() })),
  });
}

function httpRoute(): Schema {
  return obj({
    corsPolicy: obj({
      allowCredentials: optionalBool,
      allowHeaders: strings,
      allowMethods: strings,
      allowOrigin: strings,
      allowOrigins: plainList(stringMatch()),
      exposeHeaders: strings,
      maxAge: duration,
      unmatchedPreflights: enumOf("UNSPECIFIED", "FORWARD", "IGNORE"),
    }),
    delegate: obj({ name: str, namespace: str }),
    directResponse: obj({ body: obj({ bytes, string: str }, oneOf("string", "bytes")), "status!": uint32 }),
    fault: obj({
      abort: obj({ grpcStatus: str, http2Error: str, httpStatus: int32, percentage: percent() }, oneOf("httpStatus", "grpcStatus", "http2Error")),
      delay: obj({ exponentialDelay: duration, fixedDelay: duration, percent: int32, percentage: percent() }, oneOf("fixedDelay", "exponentialDelay")),
    }),
    headers: headers(),
    match: plainList(
      obj({
        authority: stringMatch(),
        gateways: strings,
        headers: map(stringMatch()),
        ignoreUriCase: bool,
        method: stringMatch(),
        name: str,
        port: uint32,
        queryParams: map(stringMatch()),
        scheme: stringMatch(),
        sourceLabels: map(str),
        sourceNamespace: str,
        statPrefix: str,
        uri: stringMatch(),
        withoutHeaders: map(stringMatch()),
      }),
    ),
    mirror: destination(),
    mirrorPercent: nullable(uint32),
    mirror_percent: nullable(uint32),
    mirrorPercentage: percent(),
    mirrors: plainList(obj({ "destination!": destination(), percentage: percent() })),
    name: str,
    redirect: obj(
      {
        authority: str,
        derivePort: enumOf("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"),
        port: uint32,
        prefixRewrite: str,
        redirectCode: uint32,
        scheme: str,
        uri: str,
      },
      oneOf("port", "derivePort"),
    ),
    retries: obj({
      attempts: int32,
      backoff: duration,
      perTryTimeout: duration,
      retryIgnorePreviousHosts: optionalBool,
      retryOn: str,
      retryRemoteLocalities: optionalBool,
    }),
    rewrite: obj({ authority: str, uri: str, uriRegexRewrite: obj({ match: str, rewrite: str }) }),
    route: plainList(obj({ "destination!": destination(), headers: headers(), weight: int32 })),
    timeout: duration,
  });
}

function l4Match(): Record<string, Schema> {
  return { destinationSubnets: strings, gateways: strings, port: uint32, sourceLabels: map(str), sourceNamespace: str };
}

function l4Route(): Schema {
  return plainList(obj({ "destination!": destination(), weight: int32 }));
}
