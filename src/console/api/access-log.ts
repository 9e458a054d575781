import type { WorkloadIdentity } from "../../telemetry/index.ts";
import { type Explanation, explain } from "./explain.ts";

/** One access-log line's fields, named as Kiali's API names them. "-" and empty fields are left out. */
export interface AccessLog {
  timestamp?: string;
  method?: string;
  uri_path?: string;
  protocol?: string;
  status_code?: string;
  response_flags?: string;
  response_code_details?: string;
  connection_termination_details?: string;
  upstream_failure_reason?: string;
  bytes_received?: string;
  bytes_sent?: string;
  duration?: string;
  upstream_service_time?: string;
  forwarded_for?: string;
  user_agent?: string;
  request_id?: string;
  authority?: string;
  upstream_service?: string;
  upstream_cluster?: string;
  upstream_local?: string;
  downstream_local?: string;
  downstream_remote?: string;
  requested_server?: string;
  route_name?: string;
}

export interface LogEntry {
  message: string;
  severity: string;
  /** RFC 3339, as the node wrote it down. */
  timestamp: string;
  timestampUnix: number;
  container: string;
  accessLog?: AccessLog;
  /** What the line means, in words. */
  explanation?: Explanation;
}

/** Who stands behind an address, for the words. */
export interface AddressBook {
  workloadByIp(ip: string): WorkloadIdentity | undefined;
}

/** The fields of Istio's default text format, in order. https://istio.io/latest/docs/tasks/observability/logs/access-log/ */
const TEXT_FIELDS = [
  "request",
  "status_code",
  "response_flags",
  "response_code_details",
  "connection_termination_details",
  "upstream_failure_reason",
  "bytes_received",
  "bytes_sent",
  "duration",
  "upstream_service_time",
  "forwarded_for",
  "user_agent",
  "request_id",
  "authority",
  "upstream_service",
  "upstream_cluster",
  "upstream_local",
  "downstream_local",
  "downstream_remote",
  "requested_server",
  "route_name",
] as const;

/** Istio's names in its JSON format. */
const JSON_FIELDS: Record<string, keyof AccessLog> = {
  start_time: "timestamp",
  method: "method",
  path: "uri_path",
  protocol: "protocol",
  response_code: "status_code",
  response_flags: "response_flags",
  response_code_details: "response_code_details",
  connection_termination_details: "connection_termination_details",
  upstream_transport_failure_reason: "upstream_failure_reason",
  bytes_received: "bytes_received",
  bytes_sent: "bytes_sent",
  duration: "duration",
  upstream_service_time: "upstream_service_time",
  x_forwarded_for: "forwarded_for",
  user_agent: "user_agent",
  request_id: "request_id",
  authority: "authority",
  upstream_host: "upstream_service",
  upstream_cluster: "upstream_cluster",
  upstream_local_address: "upstream_local",
  downstream_local_address: "downstream_local",
  downstream_remote_address: "downstream_remote",
  requested_server_name: "requested_server",
  route_name: "route_name",
};

/** An entry from a line as the API server sends it, with its time in front; undefined for a line without one. */
export function logEntry(line: string, container: string, addresses: AddressBook): LogEntry | undefined {
  const space = line.indexOf(" ");
  const timestamp = line.slice(0, space < 0 ? undefined : space);
  const unix = Date.parse(timestamp);
  if (Number.isNaN(unix) || !/^\d{4}-\d\d-\d\dT/.test(timestamp)) return undefined;
  const message = space < 0 ? "" : line.slice(space + 1);
  const entry: LogEntry = { message, severity: severityOf(message), timestamp, timestampUnix: unix, container };
  const accessLog = container === "istio-proxy" ? parseAccessLog(message) : undefined;
  if (!accessLog) return entry;
  const explanation = explain(accessLog, addresses);
  return { ...entry, severity: explanation.verdict === "ok" ? "Info" : "Error", accessLog, explanation };
}

/** The fields of an access-log line in Istio's text or JSON format; undefined for any other line. */
export function parseAccessLog(line: string): AccessLog | undefined {
  if (line.startsWith("{")) return parseJson(line);
  const start = /^\[([^\]]{10,40})\] "/.exec(line);
  if (!start) return undefined;
  const tokens = line.slice(start[0].length - 1).match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  if (tokens.length < TEXT_FIELDS.length) return undefined;
  const log: AccessLog = { timestamp: start[1]! };
  // Details may hold spaces in Envoy's own log as well; there are none in the fields behind them, so these count from the end.
  const surplus = tokens.length - TEXT_FIELDS.length;
  const at = (index: number) => tokens[index > 4 ? index + surplus : index]!;
  for (const [index, name] of TEXT_FIELDS.entries()) {
    const value = at(index).replace(/^"(.*)"$/s, "$1");
    if (name === "request") {
      const [method, path, protocol] = value.split(" ");
      Object.assign(log, present({ method, uri_path: path, protocol }));
    } else Object.assign(log, present({ [name]: value }));
  }
  return log;
}

function parseJson(line: string): AccessLog | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    // An application's or the agent's own line: it is shown as it is.
    return undefined;
  }
  if (typeof fields !== "object" || fields === null || !("response_code" in fields) || !("start_time" in fields)) return undefined;
  const log: AccessLog = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = JSON_FIELDS[name];
    if (field && (typeof value === "string" || typeof value === "number")) Object.assign(log, present({ [field]: String(value) }));
  }
  return log;
}

function present(fields: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "-" && pair[1] !== ""));
}

function severityOf(message: string): string {
  if (/\b(?:error|err|fatal|panic|critical)\b/i.test(message.slice(0, 200))) return "Error";
  return /\b(?:warn|warning)\b/i.test(message.slice(0, 200)) ? "Warn" : "Info";
}
