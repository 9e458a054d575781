import type { RouteAction_HashPolicy } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { durationMs } from "../durations.ts";
import type { RequestHead } from "../http/header-map.ts";
import { headerReader } from "../match/headers.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { hash53 } from "../upstream/hash-table.ts";
import { InvalidResource } from "../types.ts";
import { queryParameter } from "./route-match.ts";
import { compileSubstitute } from "../match/regex.ts";

export interface HashResult {
  readonly hash: number | undefined;
  /** A cookie that this request was given to keep its host. */
  readonly setCookie?: string;
}

export type HashPolicy = (request: RequestHead, info: StreamInfo, random: () => number) => HashResult;

type Source = (request: RequestHead, info: StreamInfo, random: () => number) => { text: string | undefined; setCookie?: string };

/** Compiles a route's hash policies; undefined when there are none. Their hashes are combined, a terminal one ends it. */
export function compileHashPolicies(protos: readonly RouteAction_HashPolicy[]): HashPolicy | undefined {
  if (protos.length === 0) return undefined;
  const sources = protos.map((proto) => ({ terminal: proto.terminal, read: compileSource(proto) }));
  return (request, info, random) => {
    let hash: number | undefined;
    let setCookie: string | undefined;
    for (const { terminal, read } of sources) {
      const found = read(request, info, random);
      setCookie ??= found.setCookie;
      if (found.text === undefined) continue;
      hash = hash === undefined ? hash53(found.text) : hash53(`${hash} ${found.text}`);
      if (terminal) break;
    }
    return setCookie === undefined ? { hash } : { hash, setCookie };
  };
}

function compileSource(proto: RouteAction_HashPolicy): Source {
  const specifier = proto.policySpecifier;
  switch (specifier.case) {
    case "header": {
      const read = headerReader(specifier.value.headerName.toLowerCase());
      const rewrite = specifier.value.regexRewrite ? compileSubstitute(specifier.value.regexRewrite) : undefined;
      return (request) => {
        const text = read(request);
        return { text: text === undefined || !rewrite ? text : rewrite(text) };
      };
    }
    case "cookie": {
      const { name, ttl, path } = specifier.value;
      const seconds = durationMs(ttl);
      return (request, _info, random) => {
        const known = cookie(request, name);
        if (known !== undefined) return { text: known };
        if (seconds === undefined) return { text: undefined };
        const value = Math.floor(random() * 2 ** 52)
          .toString(16)
          .padStart(16, "0");
        const age = seconds === 0 ? "" : `; Max-Age=${Math.floor(seconds / 1000)}`;
        return { text: value, setCookie: `${name}="${value}"${age}${path === "" ? "" : `; Path=${path}`}; HttpOnly` };
      };
    }
    case "connectionProperties":
      return (_request, info) => ({ text: specifier.value.sourceIp ? info.remoteIp : undefined });
    case "queryParameter":
      return (request) => ({ text: queryParameter(request.path, specifier.value.name) });
  }
  throw new InvalidResource("UNSUPPORTED_HASH_POLICY", `hash policy ${specifier.case ?? "(none)"} is not supported`);
}

/** A cookie of the request, by its name. */
export function cookie(request: RequestHead, name: string): string | undefined {
  for (const part of request.headers.getJoined("cookie")?.split(/[;,]/) ?? []) {
    const equals = part.indexOf("=");
    if (equals > 0 && part.slice(0, equals).trim() === name)
      return part
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, "$1");
  }
  return undefined;
}
