import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../base/index.ts";
import { builtinResources } from "../../resources/index.ts";
import { Store } from "../store/index.ts";
import { type ApiServer, type ApiServerOptions, type ClusterPki, loadClusterPki, startApiServer } from "./index.ts";
import type { JsonObject } from "./json.ts";
import type { UserInfo } from "./types.ts";

/** What a test sees of an answer. */
export interface Answer {
  status: number;
  headers: Headers;
  body: JsonObject;
  text: string;
}

export interface CallOptions {
  body?: unknown;
  type?: string;
  accept?: string;
  user?: UserInfo;
  headers?: Record<string, string>;
}

export interface TestServer {
  server: ApiServer;
  store: Store;
  pki: ClusterPki;
  directory: string;
  /** `call("POST", "/api/v1/…", { body })`, as a superuser unless said otherwise. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}

/** A server on a database in memory and a port of its own. */
export async function startTestServer(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), "chainmail-api-"));
  const store = options.store ?? new Store({ path: ":memory:" });
  const pki = await loadClusterPki({ directory: join(directory, "pki"), addresses: ["127.0.0.1", "10.96.0.1"], now: Date.now() });
  const missing = () => Promise.reject(new Error("there is no node in this test"));
  const server = await startApiServer({
    store,
    definitions: builtinResources(),
    pki,
    streams: { logs: missing, exec: missing, attach: missing, portForward: missing },
    dial: missing,
    listenHost: "127.0.0.1",
    port: 0,
    log: createLogger("test", { level: "none" }),
    ...options,
  }).catch((error: unknown) => {
    store.close();
    rmSync(directory, { recursive: true });
    throw error;
  });
  return {
    server,
    store,
    pki,
    directory,
    async call(method, path, { body, type = "application/json", accept, user, headers } = {}) {
      const transport = server.transport("test/1.0", user);
      const response = await transport(path, {
        method,
        headers: { ...(body === undefined ? {} : { "content-type": type }), ...(accept ? { accept } : {}), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body) }),
      });
      const text = await response.text();
      let parsed: JsonObject = {};
      if (text.startsWith("{")) parsed = JSON.parse(text.split("\n")[0] === "{" ? text : (text.split("\n")[0] ?? text)) as JsonObject;
      return { status: response.status, headers: response.headers, body: parsed, text };
    },
    async close() {
      await server.close();
      store.close();
      rmSync(directory, { recursive: true });
    },
  };
}
