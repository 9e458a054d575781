import { readFileSync, statSync } from "node:fs";
import type { Transport } from "./types.ts";

export interface HttpsTransportOptions {
  /** `https://host:port`, without a path. */
  server: string;
  /** PEM; the machine's own trust store where it is absent. */
  ca?: string;
  /** A bearer token, or the file it is read from again whenever that changes (projected tokens rotate). */
  token?: string;
  tokenFile?: string;
  /** PEM. */
  clientCert?: string;
  clientKey?: string;
  /** Checked against the server's certificate instead of the host in `server`. */
  serverName?: string;
  /** kubeconfig's insecure-skip-tls-verify, which its user has to write there. */
  insecureSkipTlsVerify?: boolean;
  userAgent?: string;
}

/** A transport over HTTPS. Bodies stream; connections are kept and shared (Bun's pool). */
export function httpsTransport(options: HttpsTransportOptions): Transport {
  const tls = fetchTls(options);
  const server = options.server.replace(/\/+$/, "");
  const token = bearerToken(options);
  return (path, init = {}) => {
    const headers = new Headers(init.headers);
    const bearer = token();
    if (bearer) headers.set("authorization", `Bearer ${bearer}`);
    if (options.userAgent && !headers.has("user-agent")) headers.set("user-agent", options.userAgent);
    return fetch(server + path, { ...init, headers, tls });
  };
}

/** The TLS settings in the shape that Bun's fetch and WebSocket take. */
export function fetchTls(options: HttpsTransportOptions): Record<string, unknown> {
  const tls: Record<string, unknown> = {};
  if (options.ca) tls["ca"] = options.ca;
  if (options.clientCert) tls["cert"] = options.clientCert;
  if (options.clientKey) tls["key"] = options.clientKey;
  if (options.serverName) tls["serverName"] = options.serverName;
  if (options.insecureSkipTlsVerify) tls["rejectUnauthorized"] = false;
  return tls;
}

/** The token to send now; a file is read again when its modification time or size has changed. */
export function bearerToken(options: Pick<HttpsTransportOptions, "token" | "tokenFile">): () => string | undefined {
  const { token, tokenFile } = options;
  if (!tokenFile) return () => token;
  let seen = "";
  let current = "";
  return () => {
    const { mtimeMs, size, ino } = statSync(tokenFile);
    const mark = `${ino}/${mtimeMs}/${size}`;
    if (mark !== seen) {
      current = readFileSync(tokenFile, "utf8").trim();
      seen = mark;
    }
    return current;
  };
}
