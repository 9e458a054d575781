import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";

/** One answer as a caller sees it. */
export interface Answer {
  readonly status: number;
  /** Values by lower-case name, in the order in which each came. */
  readonly headers: { readonly [name: string]: string | string[] };
  readonly body: string;
  readonly trailers?: { readonly [name: string]: string | string[] };
  /** HTTP/2: the stream was reset with this code. */
  readonly rst?: number;
  /** The body ended before its declared end. */
  readonly cut?: true;
}

export interface ReadAnswers {
  readonly answers: Answer[];
  /** What is no (whole) answer. */
  readonly rest: string;
}

/** Cuts what a server sent into its answers; `methods` are those of the requests in their order, since HEAD has no body. */
export function readAnswers(text: string, methods: readonly string[], ended: boolean): ReadAnswers {
  const answers: Answer[] = [];
  let at = 0;
  for (let final = 0; ;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0 || !text.startsWith("HTTP/1.", at)) return { answers, rest: text.slice(at) };
    const [first = "", ...lines] = text.slice(at, end).split("\r\n");
    const status = Number(first.split(" ")[1]);
    const headers = collect(lines);
    const method = methods[final] ?? "GET";
    const bodyAt = end + 4;
    if (status < 200 && status !== 101) {
      answers.push({ status, headers, body: "" });
      at = bodyAt;
      continue;
    }
    final++;
    const bodyless = method === "HEAD" || status === 204 || status === 304 || status === 101 || (method === "CONNECT" && status < 300);
    if (bodyless) {
      answers.push({ status, headers, body: "" });
      at = bodyAt;
    } else if (headers["transfer-encoding"] !== undefined) {
      const chunked = readChunks(text, bodyAt);
      if (!chunked) {
        if (ended) answers.push({ status, headers, body: text.slice(bodyAt), cut: true });
        return { answers, rest: ended ? "" : text.slice(at) };
      }
      answers.push({
        status,
        headers,
        body: decoded(chunked.body, headers["content-encoding"]),
        ...(chunked.trailers.length > 0 && { trailers: collect(chunked.trailers) }),
      });
      at = chunked.end;
    } else {
      const length = headers["content-length"] === undefined ? Infinity : Number(headers["content-length"]);
      const whole = text.length - bodyAt >= length;
      if (!whole && !ended) return { answers, rest: text.slice(at) };
      const until = whole ? bodyAt + length : text.length;
      answers.push({ status, headers, body: text.slice(bodyAt, until), ...(!whole && length !== Infinity && { cut: true }) });
      at = until;
    }
  }
}

/** Two encoders need not choose the same bytes: what counts is what they stand for. What is not encoded as it says stays as it is. */
function decoded(body: string, encoding: string | string[] | undefined): string {
  const decode = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }[String(encoding)];
  try {
    return decode ? decode(Buffer.from(body, "latin1")).toString("latin1") : body;
  } catch {
    return body;
  }
}

export function collect(lines: readonly string[]): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    addHeader(all, line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return all;
}

export function addHeader(all: Record<string, string | string[]>, name: string, value: string): void {
  const known = all[name];
  all[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
}

function readChunks(text: string, start: number): { body: string; trailers: string[]; end: number } | undefined {
  let body = "";
  for (let at = start; ;) {
    const line = text.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(text.slice(at, line), 16);
    at = line + 2;
    if (size > 0) {
      if (text.length < at + size + 2) return undefined;
      body += text.slice(at, at + size);
      at += size + 2;
      continue;
    }
    const trailers: string[] = [];
    for (;;) {
      const next = text.indexOf("\r\n", at);
      if (next < 0) return undefined;
      const trailer = text.slice(at, next);
      at = next + 2;
      if (trailer === "") return { body, trailers, end: at };
      trailers.push(trailer);
    }
  }
}
