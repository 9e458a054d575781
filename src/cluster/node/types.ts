import type { Duplex } from "node:stream";
import type { ExecProcess } from "../runtime/types.ts";

/**
 * What the API server asks of the node for a pod's streaming subresources. Errors are ChainmailError with code
 * POD_NOT_FOUND, CONTAINER_NOT_FOUND, CONTAINER_NOT_RUNNING or PORT_UNREACHABLE; the API server makes a Status of them.
 */
export interface PodStreams {
  /** Plain text, already without CRI prefixes unless `timestamps`. */
  logs(namespace: string, pod: string, container: string, options: LogOptions): Promise<ReadableStream<Uint8Array>>;
  exec(namespace: string, pod: string, container: string, options: { command: string[]; stdin: boolean; tty: boolean }): Promise<ExecProcess>;
  attach(namespace: string, pod: string, container: string, options: { stdin: boolean; tty: boolean }): Promise<ExecProcess>;
  /** A connection to a port on the pod's loopback. */
  portForward(namespace: string, pod: string, port: number): Promise<Duplex>;
}

/** What one running container uses. */
export interface ContainerUsage {
  container: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Of all its processes since it started. */
  cpuSeconds: number;
  /** Proportional set size. */
  memoryBytes: number;
}

export interface LogOptions {
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  limitBytes?: number;
  sinceSeconds?: number;
  /** RFC 3339. */
  sinceTime?: string;
}
