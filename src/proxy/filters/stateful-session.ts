import type { TypedExtensionConfig } from "../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
  type StatefulSession,
} from "../../proto/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts";
import { CookieBasedSessionStateSchema } from "../../proto/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts";
import { HeaderBasedSessionStateSchema } from "../../proto/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts";
import { durationMs } from "../durations.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { cookie } from "../router/hash-policy.ts";
import { InvalidResource } from "../types.ts";
import { sessionCookieAddress, sessionCookieValue } from "./session-cookie.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf, TypedConfig } from "./typed-config.ts";

/** Where a client keeps the address of the host that it belongs to. */
interface SessionState {
  /** Whether this request takes part at all. */
  readonly applies: (stream: HttpStream) => boolean;
  readonly read: (stream: HttpStream) => string | undefined;
  readonly write: (headers: HeaderMap, address: string) => void;
}

/** `envoy.filters.http.stateful_session`: requests of a client go to the host that answered it first, as long as it is there. */
export const statefulSessionFilter: HttpFilterFactory = {
  typeNames: [StatefulSessionSchema.typeName],
  routeTypeNames: [StatefulSessionPerRouteSchema.typeName],
  checkRoute(config, { services }) {
    const { override } = config.read(StatefulSessionPerRouteSchema);
    if (override.case === "statefulSession") compile(override.value, () => services.clock.now());
  },
  create(config, context) {
    const now = (): number => context.services.clock.now();
    const whole = compile(config.read(StatefulSessionSchema), now);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        const override = own.config?.read(StatefulSessionPerRouteSchema).override;
        if (override?.case === "disabled") return undefined;
        return override?.case === "statefulSession" ? compile(override.value, now) : whole;
      },
    };
  },
};

function compile({ sessionState, strict }: StatefulSession, now: () => number): HttpFilter | undefined {
  if (!sessionState) return undefined;
  const state = compileState(sessionState, now);
  const taken = {};
  return {
    onRequest(stream) {
      if (!state.applies(stream)) return "continue";
      const address = state.read(stream);
      (stream.filterState ??= new Map()).set(taken, address ?? "");
      if (address !== undefined) stream.overrideHost = { address, strict };
      return "continue";
    },
    onResponse(stream) {
      const address = stream.filterState?.get(taken) as string | undefined;
      const host = stream.upstreamHost?.text;
      if (address !== undefined && host !== undefined && host !== address) state.write(stream.responseHeaders as HeaderMap, host);
      return "continue";
    },
  };
}

function compileState({ name, typedConfig }: TypedExtensionConfig, now: () => number): SessionState {
  const config = typedConfig && TypedConfig.open(typedConfig);
  switch (config?.typeName) {
    case HeaderBasedSessionStateSchema.typeName: {
      const header = config.read(HeaderBasedSessionStateSchema).name.toLowerCase();
      if (header === "")
        throw new InvalidResource("INVALID_FILTER_CONFIG", "HeaderBasedSessionStateValidationError.Name: value length must be at least 1 characters");
      return {
        applies: () => true,
        read: ({ request }) => decoded(request.headers.get(header))?.toString("latin1"),
        write: (headers, address) => headers.set(header, Buffer.from(address).toString("base64")),
      };
    }
    case CookieBasedSessionStateSchema.typeName: {
      const { cookie: proto } = config.read(CookieBasedSessionStateSchema);
      if (!proto || proto.name === "") throw new InvalidResource("INVALID_FILTER_CONFIG", "cookie key cannot be empty");
      const { name: key, path, attributes } = proto;
      const seconds = Math.floor((durationMs(proto.ttl) ?? 0) / 1000);
      const tail = `${seconds > 0 ? `; Max-Age=${seconds}` : ""}${path === "" ? "" : `; Path=${path}`}${attributes.map((each) => `; ${each.name}${each.value === "" ? "" : `=${each.value}`}`).join("")}; HttpOnly`;
      return {
        applies: ({ request }) => withinPath(request.path, path),
        read: ({ request }) => sessionCookieAddress(decoded(cookie(request, key)), now() / 1000),
        write: (headers, address) =>
          headers.append("set-cookie", `${key}="${sessionCookieValue(address, seconds > 0 ? Math.floor(now() / 1000) + seconds : 0)}"${tail}`),
      };
    }
  }
  throw new InvalidResource("UNKNOWN_EXTENSION", `Didn't find a registered implementation for '${name}' with type URL: '${config?.typeName ?? ""}'`);
}

function decoded(value: string | undefined): Buffer | undefined {
  const text = value?.replace(/^"|"$/g, "");
  return text && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}

/** RFC 6265, 5.1.4. */
function withinPath(target: string, path: string): boolean {
  if (path === "" || path === "/") return true;
  const own = target.split(/[?#]/, 1)[0] as string;
  return own.startsWith(path) && (own.length === path.length || path.endsWith("/") || own[path.length] === "/");
}
