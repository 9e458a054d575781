import { SERVER_NAME } from "./certificates.ts";
import type { Hop } from "./hop.ts";

/** One hop in HAProxy's words, its access log on stdout. It cannot see URI names: its allow rule is the verified certificate and the method. */
export function haproxyConfig({ role, listenPort, upstreamPort, identity, grpc }: Hop): string {
  const server = role === "server";
  const protocol = grpc ? "h2" : "http/1.1";
  return `global
  nbthread 1
  maxconn 9000
  log stdout len 2048 format raw local0
  tune.ssl.default-dh-param 2048
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
frontend in
  bind 127.0.0.1:${listenPort} ${server ? `ssl crt ${identity.both} ca-file ${identity.root} verify required alpn ${protocol}` : grpc ? "proto h2" : ""}
${
  server
    ? `  http-request deny unless { ssl_c_used } { ssl_c_verify 0 } { method ${grpc ? "POST" : "GET"} }
  http-request set-header x-forwarded-client-cert Subject="%[ssl_c_s_dn]"`
    : ""
}
  http-request set-header x-request-id %[uuid()]
  http-request set-header x-forwarded-proto ${server ? "https" : "http"}
  default_backend out
backend out
  server upstream 127.0.0.1:${upstreamPort} pool-max-conn -1 ${server ? (grpc ? "proto h2" : "") : `ssl crt ${identity.both} ca-file ${identity.root} verify required verifyhost ${SERVER_NAME} sni str(${SERVER_NAME}) alpn ${protocol}`}
`;
}
