import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { ApiResponse } from "./exchange.ts";

/** Real servers compress lists from this size on; smaller ones cost more than they save. */
const GZIP_THRESHOLD = 128 << 10;
/** As the real server: lists are big and the network is usually near. */
const GZIP_LEVEL = 1;

const compress = promisify(gzip);

export type HeaderFields = Record<string, string | string[] | number>;

/** An answer as it goes out: its headers, and its body unless it is a stream. */
export interface EncodedAnswer {
  headers: HeaderFields;
  body: Uint8Array | undefined;
}

/** `header`: of the request, by lower-case name. */
export function encodeAnswer(method: string, header: (name: string) => string | undefined, answer: ApiResponse): EncodedAnswer | Promise<EncodedAnswer> {
  const { status, body } = answer;
  const headers: HeaderFields = { "audit-id": header("audit-id") ?? randomUUID(), "cache-control": "no-cache, private", ...answer.headers };
  if (answer.stream || body === undefined || method === "HEAD" || status === 304) return { headers, body: undefined };
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (bytes.length > GZIP_THRESHOLD && /\bgzip\b/.test(header("accept-encoding") ?? "")) return packed(headers, bytes);
  headers["content-length"] = bytes.length;
  return { headers, body: bytes };
}

async function packed(headers: HeaderFields, bytes: Uint8Array): Promise<EncodedAnswer> {
  const body = await compress(bytes, { level: GZIP_LEVEL });
  return { headers: { ...headers, "content-encoding": "gzip", vary: "Accept-Encoding", "content-length": body.length }, body };
}
