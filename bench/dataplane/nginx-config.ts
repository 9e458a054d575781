import { SERVER_NAME } from "./certificates.ts";
import type { Hop } from "./hop.ts";

/** One hop in nginx' words. It cannot see URI names: its allow rule is the verified certificate and the method. */
export function nginxConfig({ role, listenPort, upstreamPort, accessLog, identity, grpc }: Hop, folder: string): string {
  const server = role === "server";
  const prefix = grpc ? "grpc" : "proxy";
  const scheme = `${grpc ? "grpc" : "http"}${server ? "" : "s"}`;
  const asRoot = process.getuid?.() === 0 ? "user root;" : "";
  return `${asRoot}
daemon off;
worker_processes 1;
pid ${folder}/nginx-${role}.pid;
error_log stderr error;
events { worker_connections 19000; }
http {
  access_log ${accessLog} combined;
  keepalive_timeout 300s;
  keepalive_requests 100000000;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  proxy_max_temp_file_size 0;
  upstream out { server 127.0.0.1:${upstreamPort}; keepalive 10000; keepalive_requests 100000000; keepalive_timeout 300s; }
  server {
    listen 127.0.0.1:${listenPort} backlog=4096 ${server ? "ssl" : ""} ${grpc ? "http2" : ""};
${
  server
    ? `    ssl_certificate ${identity.certificate};
    ssl_certificate_key ${identity.key};
    ssl_client_certificate ${identity.root};
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    if ($request_method != ${grpc ? "POST" : "GET"}) { return 403; }`
    : ""
}
    location / {
      ${prefix}_pass ${scheme}://out;
      ${grpc ? "" : `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;`}
      ${prefix}_set_header x-request-id $request_id;
      ${prefix}_set_header x-forwarded-proto $scheme;
${
  server
    ? `      ${prefix}_set_header x-forwarded-client-cert 'Subject="$ssl_client_s_dn"';`
    : `      ${prefix}_ssl_certificate ${identity.certificate};
      ${prefix}_ssl_certificate_key ${identity.key};
      ${prefix}_ssl_verify on;
      ${prefix}_ssl_trusted_certificate ${identity.root};
      ${prefix}_ssl_protocols TLSv1.2 TLSv1.3;
      ${prefix}_ssl_server_name on;
      ${prefix}_ssl_name ${SERVER_NAME};`
}
    }
  }
}
`;
}
