import { BasicAuthPerRouteSchema, BasicAuthSchema } from "../../proto/gen/envoy/extensions/filters/http/basic_auth/v3/basic_auth_pb.ts";
import type { DataSource } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { createHash, timingSafeEqual } from "node:crypto";
import { utf8Bytes } from "../../base/regex/index.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { readText } from "../tls/data-source.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** Digests by name, of `{SHA}` lines as htpasswd writes them. */
type Users = ReadonlyMap<string, Buffer>;

/** `envoy.filters.http.basic_auth`: names and passwords by RFC 7617; 401 for who has none. */
export const basicAuthFilter: HttpFilterFactory = {
  typeNames: [BasicAuthSchema.typeName],
  routeTypeNames: [BasicAuthPerRouteSchema.typeName],
  checkRoute: (config) => void readUsers(given(config.read(BasicAuthPerRouteSchema).users)),
  create(config, context) {
    const proto = config.read(BasicAuthSchema);
    const header = proto.forwardUsernameHeader.toLowerCase();
    const whole = compile(readUsers(given(proto.users)), header);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        return own.config ? compile(readUsers(given(own.config.read(BasicAuthPerRouteSchema).users)), header) : whole;
      },
    };
  },
};

function compile(users: Users, forwardHeader: string): HttpFilter {
  return {
    onRequest(stream) {
      const { headers } = stream.request;
      const given = headers.get("authorization");
      if (given === undefined) return refuse(stream, "User authentication failed. Missing username and password.", "no_credential_for_basic_auth");
      if (!/^basic /i.test(given))
        return refuse(stream, "User authentication failed. Expected 'Basic' authentication scheme.", "invalid_scheme_for_basic_auth");
      const text = Buffer.from(given.slice("basic ".length).trim(), "base64").toString("utf8");
      const colon = text.indexOf(":");
      if (colon < 0) return refuse(stream, "User authentication failed. Invalid basic credential format.", "invalid_format_for_basic_auth");
      const name = text.slice(0, colon);
      const digest = createHash("sha1")
        .update(text.slice(colon + 1))
        .digest();
      const expected = users.get(name);
      // Compared for unknown names too: how long it takes must not tell who is known.
      if (!timingSafeEqual(digest, expected ?? NOBODY) || !expected)
        return refuse(stream, "User authentication failed. Invalid username/password combination.", "invalid_credential_for_basic_auth");
      if (forwardHeader !== "") headers.set(forwardHeader, utf8Bytes(name));
      return "continue";
    },
  };
}

const NOBODY = Buffer.alloc(20);

function refuse(stream: HttpStream, body: string, details: string): "stop" {
  const { request } = stream;
  const path = request.headers.get("x-envoy-original-path") ?? request.path;
  stream.localReply({ status: 401, body, details, headers: [["www-authenticate", `Basic realm="${request.scheme}://${request.authority}${path}"`]] });
  return "stop";
}

function given(users: DataSource | undefined): string {
  const text = readText(users) ?? "";
  if (text === "") throw new InvalidResource("INVALID_BASIC_AUTH", "DataSource cannot be empty");
  return text;
}

function readUsers(text: string): Users {
  const users = new Map<string, Buffer>();
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    if (colon <= 0) throw new InvalidResource("INVALID_BASIC_AUTH", "basic auth: invalid htpasswd format, username:password is expected");
    const name = line.slice(0, colon);
    const hash = line.slice(colon + 1);
    if (hash === "") throw new InvalidResource("INVALID_BASIC_AUTH", "basic auth: empty user name or password");
    if (!hash.startsWith("{SHA}")) throw new InvalidResource("INVALID_BASIC_AUTH", "basic auth: unsupported htpasswd format: please use {SHA}");
    const digest = Buffer.from(hash.slice("{SHA}".length), "base64");
    if (hash.length !== "{SHA}".length + 28 || digest.length !== NOBODY.length)
      throw new InvalidResource("INVALID_BASIC_AUTH", "basic auth: invalid htpasswd format, invalid SHA hash length");
    if (users.has(name)) throw new InvalidResource("INVALID_BASIC_AUTH", "basic auth: duplicate users");
    users.set(name, digest);
  }
  return users;
}
