/**
 * How a request is told back. go-httpbin (`mccutchen/go-httpbin`, in Istio's samples since 1.24) gives every header and
 * argument a list of values under names in Go's spelling; the older httpbin in Python gives one text each.
 */
export type Style = "go" | "python";

export interface Described {
  args: Record<string, string | string[]>;
  headers: Record<string, string | string[]>;
  method: string;
  origin: string;
  url: string;
}

export interface DescribedBody extends Described {
  data: string;
  files: Record<string, string[]>;
  form: Record<string, string | string[]>;
  json: unknown;
}

/** What all echoing paths tell of a request. `client` is the address that it came from. */
export function describe(request: Request, client: string, style: Style): Described {
  const url = new URL(request.url);
  const scheme = request.headers.get("x-forwarded-proto");
  if (scheme === "https" || scheme === "http") url.protocol = scheme;
  return {
    args: grouped(url.searchParams, style),
    headers: headersOf(request, style),
    method: request.method,
    origin: originOf(request, client),
    url: url.href,
  };
}

/** With the body: as form where it is one, parsed where it is JSON, and as text or a data URL. */
export async function describeBody(request: Request, client: string, style: Style): Promise<DescribedBody> {
  const described = describe(request, client, style);
  const type = request.headers.get("content-type") ?? "";
  const bytes = Buffer.from(await request.arrayBuffer());
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(bytes);
  const form = type.startsWith("application/x-www-form-urlencoded") ? grouped(new URLSearchParams(text), style) : {};
  const asData = isText ? text : `data:${type || "application/octet-stream"};base64,${bytes.toString("base64")}`;
  return { ...described, data: Object.keys(form).length > 0 && style === "python" ? "" : asData, files: {}, form, json: parsed(text) };
}

export function headersOf(request: Request, style: Style): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of [...request.headers].sort(([one], [two]) => (one < two ? -1 : 1))) headers[canonical(name)] = style === "go" ? [value] : value;
  return headers;
}

/** The first address that the proxies before have named, else the peer's own. */
export function originOf(request: Request, client: string): string {
  return request.headers.get("x-forwarded-for")?.split(",")[0]?.trim() || client.replace(/^::ffff:/, "");
}

/** `x-b3-traceid` is `X-B3-Traceid`, as Go's net/http and Python's werkzeug spell names. */
function canonical(name: string): string {
  return name.replaceAll(/(^|-)([a-z])/g, (_whole, dash: string, letter: string) => dash + letter.toUpperCase());
}

function grouped(pairs: URLSearchParams, style: Style): Record<string, string | string[]> {
  const groups: Record<string, string | string[]> = {};
  for (const name of new Set(pairs.keys())) {
    const values = pairs.getAll(name);
    groups[name] = style === "go" || values.length > 1 ? values : (values[0] as string);
  }
  return groups;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
