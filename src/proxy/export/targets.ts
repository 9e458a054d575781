import type { GrpcService } from "../../proto/gen/envoy/config/core/v3/grpc_service_pb.ts";
import type { HttpService } from "../../proto/gen/envoy/config/core/v3/http_service_pb.ts";
import { durationMs } from "../durations.ts";
import { HeaderMap, type RequestHead } from "../http/header-map.ts";
import type { Services } from "../services.ts";
import { callCluster, callGrpc } from "../upstream/call.ts";
import { InvalidResource } from "../types.ts";

/** What a delivery needs of the data plane. */
export type DeliveryContext = Services;

/** Brings one message to a collector; `done` says whether it arrived. */
export type Deliver = (message: Uint8Array, services: DeliveryContext, done: (delivered: boolean) => void) => void;

/** A collector that answers later than this has not answered; its configuration may say another time. */
const DEFAULT_TIMEOUT_MS = 5000;

/** Throws InvalidResource. `path` is `/package.Service/Method`. `answersNothing`: a stream that need not be answered. */
export function compileGrpcTarget(service: GrpcService, path: string, { answersNothing = false } = {}): Deliver {
  const { cluster, authority } = grpcCluster(service);
  const metadata = service.initialMetadata.map(({ key, value }) => [key.toLowerCase(), value] as const);
  const timeoutMs = durationMs(service.timeout) || DEFAULT_TIMEOUT_MS;
  return (message, services, done) =>
    void callGrpc({ cluster, authority, path, message, metadata, timeoutMs, answersNothing }, services, (result) => done(result.kind === "message"));
}

/** Throws InvalidResource for what is no Envoy client. */
export function grpcCluster(service: GrpcService): { readonly cluster: string; readonly authority: string } {
  const target = service.targetSpecifier;
  if (target.case !== "envoyGrpc")
    throw new InvalidResource("UNSUPPORTED_GRPC_SERVICE", `grpc_service: only envoy_grpc is supported, not ${target.case ?? "nothing"}`);
  return { cluster: target.value.clusterName, authority: target.value.authority || target.value.clusterName };
}

/** A POST of each message. Throws InvalidResource. */
export function compileHttpTarget(service: HttpService, contentType: string): Deliver {
  const uri = service.httpUri;
  if (uri?.httpUpstreamType.case !== "cluster") throw new InvalidResource("INVALID_HTTP_SERVICE", "http_service needs an http_uri with a cluster");
  return httpTarget({
    cluster: uri.httpUpstreamType.value,
    ...splitUri(uri.uri),
    timeoutMs: durationMs(uri.timeout) || DEFAULT_TIMEOUT_MS,
    headers: [
      ["content-type", contentType],
      ...service.requestHeadersToAdd.map(({ header }) => [(header?.key ?? "").toLowerCase(), header?.value ?? ""] as const),
    ],
  });
}

export interface HttpTarget {
  readonly cluster: string;
  readonly authority: string;
  readonly path: string;
  readonly timeoutMs: number;
  readonly headers: readonly (readonly [string, string])[];
}

export function httpTarget({ cluster, authority, path, timeoutMs, headers }: HttpTarget): Deliver {
  return (message, services, done) => {
    const body = Buffer.from(message.buffer, message.byteOffset, message.length);
    const head: RequestHead = {
      method: "POST",
      path,
      authority,
      scheme: "http",
      protocol: "HTTP/1.1",
      headers: HeaderMap.from([...headers, ["content-length", String(body.length)]]),
      upgrade: undefined,
    };
    callCluster({ cluster, head, body, timeoutMs }, services, (result) => done(result.kind === "response" && result.status < 300));
  };
}

/** Host and path of a URI, with or without its scheme. */
function splitUri(uri: string): { authority: string; path: string } {
  const rest = uri.replace(/^[a-z]+:\/\//, "");
  const slash = rest.indexOf("/");
  return slash < 0 ? { authority: rest, path: "/" } : { authority: rest.slice(0, slash), path: rest.slice(slash) };
}
