import { ChainmailError } from "../base/index.ts";

/** The Status object that the API server sends with a failure. */
export interface StatusBody {
  kind: "Status";
  status?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: { reason?: string; message?: string; field?: string }[];
    retryAfterSeconds?: number;
  };
}

/** A request that the API server answered with a failure. `code` is `API_` and the reason: API_NOT_FOUND, API_CONFLICT. */
export class ApiError extends ChainmailError {
  constructor(
    /** The HTTP status; 410 as well for an ERROR event of a watch. */
    readonly status: number,
    readonly body: StatusBody,
  ) {
    super(codeOf(status, body.reason), body.message ?? `the API server answered with HTTP status ${status}`);
  }
  /** Kubernetes' reason, such as NotFound; "" where none came. */
  get reason(): string {
    return this.body.reason ?? "";
  }
}

export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof ApiError && thrown.status === 404;
}

/** The object was changed by someone else in between: read it again and retry. */
export function isConflict(thrown: unknown): boolean {
  return thrown instanceof ApiError && thrown.status === 409 && thrown.reason !== "AlreadyExists";
}

export function isAlreadyExists(thrown: unknown): boolean {
  return thrown instanceof ApiError && thrown.reason === "AlreadyExists";
}

/** The resource version is no longer in the server's history: list again. */
export function isExpired(thrown: unknown): boolean {
  return thrown instanceof ApiError && thrown.status === 410;
}

/** Makes an ApiError of an answer that is not 2xx; the body may be a Status or plain text. */
export async function errorFromResponse(response: Response): Promise<ApiError> {
  const text = (await response.text()).slice(0, MAX_ERROR_TEXT);
  return new ApiError(response.status, parseStatus(text) ?? { kind: "Status", message: text.trim() || response.statusText, code: response.status });
}

/** Statuses are small; an HTML page of some proxy in between is cut here. */
const MAX_ERROR_TEXT = 64 * 1024;

export function asStatus(value: unknown): StatusBody | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== "Status") return undefined;
  return value as StatusBody;
}

function parseStatus(text: string): StatusBody | undefined {
  try {
    return asStatus(JSON.parse(text));
  } catch {
    return undefined; // not JSON: the caller keeps the text itself
  }
}

function codeOf(status: number, reason: string | undefined): string {
  if (!reason) return `API_HTTP_${status}`;
  return `API_${reason.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase()}`;
}
