import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HeaderValueOption } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { HeaderValueOption_HeaderAppendAction as Append } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { GrpcService } from "../../../proto/gen/envoy/config/core/v3/grpc_service_pb.ts";
import type { HttpService } from "../../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts";
import { CheckRequestSchema, CheckResponseSchema } from "../../../proto/gen/envoy/service/auth/v3/external_auth_pb.ts";
import type { ListStringMatcher } from "../../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import { durationMs } from "../../durations.ts";
import { HeaderMap, type RequestHead } from "../../http/header-map.ts";
import { compileString } from "../../match/strings.ts";
import { toLatin1 } from "../../router/header-ops.ts";
import { timestamp } from "../../export/index.ts";
import type { Services } from "../../services.ts";
import type { StreamInfo } from "../../telemetry/stream-info.ts";
import type { ConnectionInfo } from "../../net/connection-info.ts";
import { InvalidResource, type SocketAddress } from "../../types.ts";
import { grpcCluster } from "../../export/targets.ts";
import { callCluster, callGrpc } from "../../upstream/call.ts";

/** How a header is put on a request or response. */
export interface HeaderChange {
  readonly name: string;
  readonly value: string;
  readonly how: "set" | "append" | "add_if_absent" | "set_if_present";
}

export type Decision =
  | {
      readonly kind: "allow";
      readonly request: readonly HeaderChange[];
      readonly remove: readonly string[];
      readonly response: readonly HeaderChange[];
      readonly metadata: { readonly [key: string]: unknown };
    }
  | { readonly kind: "deny"; readonly status: number; readonly body: string; readonly headers: readonly (readonly [string, string])[] }
  | { readonly kind: "error"; readonly reason: string };

export interface CheckInput {
  readonly info: StreamInfo;
  /** What was buffered of the body; undefined where none is wanted. */
  readonly body: { readonly bytes: Buffer; readonly asBytes: boolean; readonly partial: boolean } | undefined;
  readonly contextExtensions: { readonly [key: string]: string };
  /** Metadata of these filters goes along. */
  readonly metadataNamespaces: readonly string[];
  readonly includePeerCertificate: boolean;
}

/** Asks the authorization service; the returned function gives the question up. */
export type Check = (input: CheckInput, done: (decision: Decision) => void) => () => void;

/** Envoy's default for both kinds of service. */
const DEFAULT_TIMEOUT_MS = 200;

export function compileGrpcCheck(service: GrpcService, services: Services, sendsHeader: (name: string) => boolean): Check {
  const { cluster, authority } = grpcCluster(service);
  const metadata = service.initialMetadata.map(({ key, value }) => [key.toLowerCase(), toLatin1(value)] as const);
  const timeoutMs = durationMs(service.timeout) ?? DEFAULT_TIMEOUT_MS;
  return (input, done) =>
    callGrpc(
      { cluster, authority, path: "/envoy.service.auth.v3.Authorization/Check", message: encodeCheck(input, sendsHeader), metadata, timeoutMs },
      services,
      (result) => {
        done(result.kind === "failure" ? { kind: "error", reason: result.reason } : decodeCheck(result.bytes));
      },
    );
}

export function compileHttpCheck(service: HttpService, services: Services, allowed: ListStringMatcher | undefined): Check {
  const uri = service.serverUri;
  if (uri?.httpUpstreamType.case !== "cluster") throw new InvalidResource("INVALID_EXT_AUTHZ", "ext_authz: http_service needs a server_uri with a cluster");
  const cluster = uri.httpUpstreamType.value;
  const authority = /^https?:\/\/([^/]+)/.exec(uri.uri)?.[1] ?? uri.uri;
  const timeoutMs = durationMs(uri.timeout) ?? DEFAULT_TIMEOUT_MS;
  const { authorizationRequest: ask, authorizationResponse: answer } = service;
  const sends = anyOf(ask?.allowedHeaders ?? allowed);
  const toUpstream = anyOf(answer?.allowedUpstreamHeaders);
  const appendUpstream = anyOf(answer?.allowedUpstreamHeadersToAppend);
  const toClientOnSuccess = anyOf(answer?.allowedClientHeadersOnSuccess);
  const clientList = answer?.allowedClientHeaders && anyOf(answer.allowedClientHeaders);
  const toMetadata = anyOf(answer?.dynamicMetadataFromHeaders);
  return ({ info, body }, done) => {
    const request = info.request as RequestHead;
    const headers = new HeaderMap();
    for (const [name, value] of request.headers) if (name === "authorization" || sends(name)) headers.append(name, value);
    for (const { key, value } of ask?.headersToAdd ?? []) headers.set(key.toLowerCase(), toLatin1(value));
    headers.set("content-length", String(body?.bytes.length ?? 0));
    // The service is asked by the proxy itself, which waits only so long.
    headers.set("x-envoy-internal", "true");
    headers.set("x-envoy-expected-rq-timeout-ms", String(timeoutMs));
    const head: RequestHead = {
      method: request.method,
      path: service.pathPrefix + request.path,
      authority: request.authority === "" ? authority : request.authority,
      scheme: "http",
      protocol: "HTTP/1.1",
      headers,
      upgrade: undefined,
    };
    return callCluster({ cluster, head, body: body?.bytes ?? Buffer.alloc(0), timeoutMs }, services, (result) => {
      if (result.kind === "failure") done({ kind: "error", reason: result.reason });
      else if (result.status >= 500) done({ kind: "error", reason: `HTTP ${result.status}` });
      else if (result.status >= 200 && result.status < 300) {
        const change = (how: HeaderChange["how"], wants: (name: string) => boolean): HeaderChange[] =>
          [...result.headers].filter(([name]) => wants(name)).map(([name, value]) => ({ name, value, how }));
        done({
          kind: "allow",
          request: [...change("set", toUpstream), ...change("append", appendUpstream)],
          remove: [],
          response: change("append", toClientOnSuccess),
          metadata: Object.fromEntries([...result.headers].filter(([name]) => toMetadata(name))),
        });
      } else {
        const wants = clientList ? (name: string) => ALWAYS_TO_CLIENT.has(name) || clientList(name) : () => true;
        done({
          kind: "deny",
          status: result.status,
          body: result.body.toString("latin1"),
          headers: [...result.headers].filter(([name]) => !FRAMING.has(name) && wants(name)),
        });
      }
    });
  };
}

/** The reply's framing is the proxy's own. */
const FRAMING = new Set(["content-length", "transfer-encoding", "connection", "date", "server", "keep-alive"]);
const ALWAYS_TO_CLIENT = new Set(["www-authenticate", "location", "content-type"]);

/** A list of patterns as one test; no list matches nothing. */
export function anyOf(list: ListStringMatcher | undefined): (name: string) => boolean {
  const tests = (list?.patterns ?? []).map(compileString);
  return (name) => tests.some((test) => test(name));
}

function encodeCheck(
  { info, body, contextExtensions, metadataNamespaces, includePeerCertificate }: CheckInput,
  sendsHeader: (name: string) => boolean,
): Uint8Array {
  const { downstream, request } = info;
  const headers: { [name: string]: string } = {};
  const put = (name: string, value: string): void => {
    if (sendsHeader(name)) headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  };
  if (request)
    for (const [name, value] of [
      [":method", request.method],
      [":path", request.path],
      [":authority", request.authority],
      [":scheme", request.scheme],
    ] as const)
      put(name, value);
  for (const [name, value] of request?.headers ?? []) put(name, value);
  if (body) headers["x-envoy-auth-partial-body"] = String(body.partial);
  const filterMetadata = Object.fromEntries(
    metadataNamespaces.flatMap((name) => (info.dynamicMetadata?.has(name) ? [[name, info.dynamicMetadata.get(name) as never]] : [])),
  );
  const message = create(CheckRequestSchema, {
    attributes: {
      source: {
        ...peer(downstream.remote, downstream.peerPrincipal),
        certificate: includePeerCertificate ? encodeURIComponent(downstream.tls?.peer?.pem ?? "") : "",
      },
      destination: peer(downstream.local, downstream.tls?.localUriSans[0] ?? ""),
      request: {
        time: timestamp(info.startTime),
        ...(request
          ? {
              http: {
                id: String(downstream.id),
                method: request.method,
                headers,
                path: request.path,
                host: request.authority,
                scheme: request.scheme,
                protocol: request.protocol,
                // What has come so far, whatever is announced.
                size: BigInt(info.bytesReceived),
                ...(body ? (body.asBytes ? { rawBody: body.bytes } : { body: body.bytes.toString("utf8") }) : {}),
              },
            }
          : {}),
      },
      contextExtensions: { ...contextExtensions },
      metadataContext: { filterMetadata },
    },
  });
  return toBinary(CheckRequestSchema, message);
}

function peer({ address, port }: SocketAddress, principal: ConnectionInfo["peerPrincipal"]) {
  return {
    address: { address: { case: "socketAddress" as const, value: { address, portSpecifier: { case: "portValue" as const, value: port } } } },
    principal,
  };
}

function decodeCheck(bytes: Uint8Array): Decision {
  let response;
  try {
    response = fromBinary(CheckResponseSchema, bytes);
  } catch {
    return { kind: "error", reason: "not a CheckResponse" };
  }
  const { httpResponse } = response;
  if ((response.status?.code ?? 0) === 0) {
    const ok = httpResponse.case === "okResponse" ? httpResponse.value : undefined;
    return {
      kind: "allow",
      // As Envoy: what would only replace a header is put on requests that have none, too.
      request: (ok?.headers ?? []).flatMap(readChange).map((change) => (change.how === "set_if_present" ? { ...change, how: "set" as const } : change)),
      remove: (ok?.headersToRemove ?? []).map((name) => name.toLowerCase()),
      // And on responses the default of append_action counts, unless `append` says otherwise.
      response: (ok?.responseHeadersToAdd ?? []).flatMap((option) =>
        readChange({ ...option, append: option.append ?? option.appendAction === Append.APPEND_IF_EXISTS_OR_ADD }),
      ),
      metadata: response.dynamicMetadata ?? ok?.dynamicMetadata ?? {},
    };
  }
  const denied = httpResponse.case === "deniedResponse" ? httpResponse.value : undefined;
  return {
    kind: "deny",
    status: denied?.status?.code || 403,
    body: Buffer.from(denied?.body ?? "", "utf8").toString("latin1"),
    headers: (denied?.headers ?? []).flatMap(readChange).map(({ name, value }) => [name, value] as const),
  };
}

/** What a service says may come from anywhere: names and values that cannot stand in a header are left out. */
function readChange({ header, append, appendAction }: HeaderValueOption): HeaderChange[] {
  const name = header?.key.toLowerCase() ?? "";
  const value = header?.value ?? "";
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) || name === "host" || /[\0\r\n]/.test(value)) return [];
  const how = append
    ? "append"
    : appendAction === Append.ADD_IF_ABSENT
      ? "add_if_absent"
      : appendAction === Append.OVERWRITE_IF_EXISTS
        ? "set_if_present"
        : "set";
  return [{ name, value: Buffer.from(value, "utf8").toString("latin1"), how }];
}
