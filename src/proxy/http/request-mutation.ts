import type { ConnectionInfo } from "../net/connection-info.ts";
import { isLoopback } from "../match/cidr.ts";
import { addressText } from "../net/connection-info.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { isIP } from "node:net";
import type { HcmConfig } from "./hcm-config.ts";
import { mergeSlashes, normalizePath } from "./path-normalize.ts";
import type { HeaderMap, RequestHead } from "./header-map.ts";

/** Why a request cannot be served as it is; `redirect` for paths with escaped slashes that are to be asked for plainly. */
export type PathProblem = { readonly kind: "refuse" } | { readonly kind: "redirect"; readonly location: string } | undefined;

/** Makes a request's path what routes are matched against. */
export function normalizeRequestPath(request: RequestHead, config: HcmConfig): PathProblem {
  if (request.path === "" || request.path === "*") return undefined;
  if (config.escapedSlashes !== "keep" && /%(?:2f|5c)/i.test(request.path.split("?", 1)[0] as string)) {
    const [path = "", ...query] = request.path.split("?");
    request.path = [path.replace(/%2f/gi, "/").replace(/%5c/gi, "\\"), ...query].join("?");
    if (config.escapedSlashes === "reject") return { kind: "refuse" };
    if (config.escapedSlashes === "redirect") return { kind: "redirect", location: request.path };
  }
  if (config.normalizePath) {
    const normal = normalizePath(request.path);
    if (normal === undefined) return { kind: "refuse" };
    request.path = normal;
  }
  if (config.mergeSlashes) request.path = mergeSlashes(request.path);
  return undefined;
}

/** Headers of one hop, which must not pass (RFC 9110, 7.6.1), and those that only an Envoy inside may set. */
const INTERNAL_ONLY = [
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-ip-tags",
  "x-envoy-original-url",
  "x-envoy-hedge-on-per-try-timeout",
];

/** What every request gets and loses before filters see it: Envoy's `mutateRequestHeaders`, in its order. A number: it is refused with this status. */
export function mutateRequestHeaders(
  request: RequestHead,
  info: StreamInfo,
  connection: ConnectionInfo,
  config: HcmConfig,
  uuid: () => string,
): number | undefined {
  const { headers } = request;
  const { extras } = config;
  stripHost(request, config, connection.local.port);
  extras?.early?.(headers, info);
  removeHopByHop(headers, request.upgrade !== undefined);
  // One list for all who read only the first line, such as the application behind.
  joinLines(headers, "x-forwarded-for");
  let trusted = false;
  const secure = connection.tls !== undefined;
  let remote: string | undefined;
  if (config.useRemoteAddress) {
    trusted = !headers.has("x-forwarded-for");
    if (config.xffTrustedHops > 0) remote = lastXffAddress(headers, config.xffTrustedHops - 1)?.address;
    remote ??= connection.remote.address;
    if (!config.skipXffAppend) headers.appendToValue("x-forwarded-for", isLoopback(connection.remote.address) ? machineAddress() : connection.remote.address);
    if (config.xffTrustedHops === 0 || !headers.has("x-forwarded-proto")) headers.set("x-forwarded-proto", secure ? "https" : "http");
  } else {
    const origin = extras?.detect ? extras.detect(headers, connection) : undefined;
    if (typeof origin === "number") return origin;
    const last = extras?.detect ? undefined : lastXffAddress(headers, config.xffTrustedHops);
    remote = origin?.address ?? last?.address;
    trusted = origin?.trusted ?? last?.only ?? false;
    if (origin?.appendsXff) headers.appendToValue("x-forwarded-for", isLoopback(connection.remote.address) ? machineAddress() : connection.remote.address);
    if (!headers.has("x-forwarded-proto")) headers.append("x-forwarded-proto", secure ? "https" : "http");
  }
  const internal = trusted && remote !== undefined && config.isInternal(remote);
  if (remote !== undefined && remote !== connection.remote.address) {
    info.remoteIp = remote;
    info.remoteText = addressText({ address: remote, port: 0 });
  }
  const edge = !internal && config.useRemoteAddress;
  if (internal) headers.set("x-envoy-internal", "true");
  else {
    if (edge) {
      headers.remove("x-envoy-decorator-operation");
      headers.remove("x-envoy-downstream-service-cluster");
      headers.remove("x-envoy-downstream-service-node");
      headers.remove("x-envoy-original-path");
      headers.set("x-envoy-external-address", info.remoteIp);
    }
    headers.remove("x-envoy-internal");
    if (headers.names.some(isEnvoys)) for (const name of INTERNAL_ONLY) headers.remove(name);
  }
  // A target that does not say it has the scheme that its client came by, to the first proxy.
  if (request.scheme === "") {
    const told = headers.get("x-forwarded-proto");
    request.scheme = told === "http" || told === "https" ? told : secure ? "https" : "http";
  }
  extras?.add(request, connection.local.port, !config.useRemoteAddress || config.xffTrustedHops > 0);
  if (config.generateRequestId) {
    if (edge && !config.preserveExternalRequestId) headers.set("x-request-id", uuid());
    else if (!headers.has("x-request-id")) headers.append("x-request-id", uuid());
    else joinLines(headers, "x-request-id");
  }
  if (config.via !== "") headers.appendToValue("via", config.via, ", ");
  config.xfcc(headers, connection);
  return undefined;
}

function isEnvoys(name: string): boolean {
  return name.startsWith("x-envoy-");
}

/** Several lines of one header become one (RFC 9110, 5.3). */
function joinLines(headers: HeaderMap, name: string): void {
  const first = headers.names.indexOf(name);
  if (first >= 0 && headers.names.includes(name, first + 1)) headers.set(name, headers.getJoined(name) as string);
}

/** Whether the client waits for leave to send its body; it is asked here only. */
export function takeExpectation(headers: HeaderMap): boolean {
  if (headers.get("expect")?.toLowerCase() !== "100-continue") return false;
  headers.remove("expect");
  return true;
}

/** Connection and what it governs. An upgrade keeps Connection and Upgrade, which the next hop must see. */
export function removeHopByHop(headers: HeaderMap, upgrading: boolean): void {
  const { names, values } = headers;
  let nominated: string | undefined;
  for (let i = names.length - 1; i >= 0; i--) {
    switch (names[i]) {
      case "connection":
        nominated = nominated === undefined ? values[i] : `${values[i]},${nominated}`;
        if (upgrading) continue;
        break;
      case "upgrade":
        if (upgrading) continue;
        break;
      case "keep-alive":
      case "proxy-connection":
      case "transfer-encoding":
        break;
      case "te":
        // Only `trailers` may pass on (RFC 9110, 10.1.4).
        if (
          values[i]
            ?.toLowerCase()
            .split(",")
            .some((part) => part.trim() === "trailers")
        ) {
          values[i] = "trailers";
          continue;
        }
        break;
      default:
        continue;
    }
    names.splice(i, 1);
    values.splice(i, 1);
  }
  if (nominated === undefined) return;
  for (const token of nominated.toLowerCase().split(",")) {
    const name = token.trim();
    // Those that say how the message is framed stay; the parser refuses those that say where it comes from.
    if (name !== "" && !PROTECTED.has(name)) headers.remove(name);
  }
}

const PROTECTED = new Set(["close", "keep-alive", "upgrade", "te", "content-length", "transfer-encoding", "connection"]);

/** The address at `skip` entries from the right of x-forwarded-for. `only`: there is no other entry. */
export function lastXffAddress(headers: HeaderMap, skip: number): { address: string; only: boolean } | undefined {
  const xff = headers.getJoined("x-forwarded-for");
  if (xff === undefined) return undefined;
  const entries = xff.split(",");
  const address = entries[entries.length - 1 - skip]?.trim();
  return address !== undefined && isIP(address) !== 0 ? { address, only: entries.length === 1 } : undefined;
}

let ownAddress: string | undefined;

/** The machine's own address, which Envoy appends where it would write loopback. */
export function machineAddress(): string {
  if (ownAddress === undefined) {
    // Imported late: only gateways with clients on their own machine need it.
    const { networkInterfaces } = require("node:os") as typeof import("node:os");
    const found = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find((each) => !each.internal && each.family === "IPv4");
    ownAddress = found?.address ?? "127.0.0.1";
  }
  return ownAddress;
}

/** Takes the port and the trailing dot off the host where the configuration says so. */
function stripHost(request: RequestHead, config: HcmConfig, localPort: number): void {
  if (config.stripTrailingDot) request.authority = request.authority.replace(/\.(?=$|:\d+$)/, "");
  if (config.stripPort === "none") return;
  const match = /^(.*):(\d+)$/.exec(request.authority);
  if (match && (config.stripPort === "any" || Number(match[2]) === localPort)) request.authority = match[1] as string;
}
