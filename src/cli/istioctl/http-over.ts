import { request } from "node:http";
import type { Duplex } from "node:stream";

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** One HTTP/1.1 request over a connection that is already there; the connection ends with it. */
export function httpOver(connection: Duplex, options: { method: string; path: string; host: string; body?: string }): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const path = options.path.startsWith("/") ? options.path : `/${options.path}`;
  const outgoing = request(
    {
      createConnection: () => connection as never,
      method: options.method,
      path,
      headers: {
        host: options.host,
        connection: "close",
        ...(options.body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(options.body) }),
      },
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
        connection.destroy();
      });
    },
  );
  outgoing.on("error", reject);
  outgoing.end(options.body);
  return promise;
}
