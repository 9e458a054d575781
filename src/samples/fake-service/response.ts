/** One hop's report; `upstream_calls` nests the reports of those it called. Fields in the order they are printed. */
export interface ServiceResponse {
  name?: string;
  uri?: string;
  type?: string;
  ip_addresses?: string[];
  start_time?: string;
  end_time?: string;
  duration?: string;
  body?: unknown;
  upstream_calls?: ServiceResponse[];
  code: number;
  error?: string;
}

const ORDER = ["name", "uri", "type", "ip_addresses", "start_time", "end_time", "duration", "body", "upstream_calls", "code", "error"] as const;

/** Two-space JSON with a newline at the end, as Go's encoder writes it: empty fields left out, `code` always there. */
export function renderResponse(response: ServiceResponse): string {
  // Go escapes these three in JSON so that the text can stand in HTML.
  const escaped = JSON.stringify(ordered(response), null, 2).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${escaped}\n`;
}

/** Reads another fake-service's report; undefined when the text is none (a proxy's error page, another program). */
export function parseResponse(text: string): ServiceResponse | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof value === "object" && value !== null && !Array.isArray(value) ? fromUnknown(value) : undefined;
}

/** `2006-01-02T15:04:05.000000` in the process's time zone. */
export function formatTime(epochMs: number): string {
  const d = new Date(epochMs);
  const two = (n: number) => String(n).padStart(2, "0");
  const micros = String(Math.floor((epochMs % 1000) * 1000)).padStart(6, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${micros}`;
}

function ordered(response: ServiceResponse): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of ORDER) {
    const value = response[key];
    if (key === "code") out[key] = value;
    else if (key === "upstream_calls" && response.upstream_calls?.length) out[key] = response.upstream_calls.map(ordered);
    else if (value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0)) out[key] = value;
  }
  return out;
}

function fromUnknown(value: object): ServiceResponse {
  const fields = value as Record<string, unknown>;
  const text = (key: string) => (typeof fields[key] === "string" ? (fields[key] as string) : undefined);
  const calls = Array.isArray(fields["upstream_calls"]) ? fields["upstream_calls"] : [];
  const ips = Array.isArray(fields["ip_addresses"]) ? fields["ip_addresses"].filter((ip) => typeof ip === "string") : undefined;
  return {
    name: text("name"),
    uri: text("uri"),
    type: text("type"),
    ip_addresses: ips,
    start_time: text("start_time"),
    end_time: text("end_time"),
    duration: text("duration"),
    body: fields["body"],
    upstream_calls: calls.filter((c): c is object => typeof c === "object" && c !== null).map(fromUnknown),
    code: typeof fields["code"] === "number" ? fields["code"] : 0,
    error: text("error"),
  };
}
