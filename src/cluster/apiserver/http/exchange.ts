import type { UserInfo } from "../types.ts";

/** One request as handlers see it: the same from a socket and from a call in-process. */
export interface ApiRequest {
  readonly method: string;
  /** Percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name. */
  header(name: string): string | undefined;
  /** All of them, by lower-case name. */
  headers(): Iterable<[string, string]>;
  /** The whole body; throws 413 beyond the limit. */
  body(): Promise<Uint8Array>;
  readonly user: UserInfo;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** Where a long answer goes. */
export interface Sink {
  /** False asks to wait for `onDrain`: nothing is lost, but memory fills. */
  write(chunk: string | Uint8Array): boolean;
  /** Calls back once, when more can be taken. */
  onDrain(callback: () => void): void;
  end(): void;
}

export interface ApiResponse {
  status: number;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
  /** Instead of a body: writes until it ends the sink; `signal` aborts when the client is gone. */
  stream?: (sink: Sink, signal: AbortSignal) => void;
}

export type Handler = (request: ApiRequest) => Promise<ApiResponse>;

/** Bodies beyond 3 MiB are refused, as Kubernetes does: etcd's limit is 1.5, and patches may double. */
export const MAX_BODY_BYTES = 3 << 20;

export const JSON_TYPE = "application/json";
export const YAML_TYPE = "application/yaml";
export const PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf";
