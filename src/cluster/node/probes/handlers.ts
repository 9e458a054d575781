import type { Duplex } from "node:stream";
import { ChainmailError, errorText, type Clock } from "../../../base/index.ts";
import type { Container, IntOrString, ProbeHandler } from "../../../resources/index.ts";
import type { ContainerRuntime, ExecProcess } from "../../runtime/types.ts";
import { httpGet } from "./http-get.ts";

/** What a probe or a hook acts on. */
export interface HandlerTarget {
  runtime: ContainerRuntime;
  clock: Clock;
  container: Container;
  containerId: string;
  podIP: string;
  env: Record<string, string>;
}

export interface HandlerResult {
  ok: boolean;
  /** Why it failed, in the kubelet's words. */
  message: string;
}

/** The kubelet keeps no more of a command's output in an event. */
const MAX_OUTPUT = 10 * 1024;

/** Runs one probe. Never throws: what cannot be reached has failed. */
export async function runProbe(handler: ProbeHandler, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  try {
    if (handler.exec) return await execHandler(handler.exec.command ?? [], target, timeoutMs);
    if (handler.httpGet) return await httpHandler(handler.httpGet, target, timeoutMs);
    if (handler.tcpSocket) return await tcpHandler(handler.tcpSocket, target, timeoutMs);
    if (handler.grpc) return await grpcHandler(handler.grpc, target, timeoutMs);
    return { ok: false, message: "missing probe handler" };
  } catch (thrown) {
    return { ok: false, message: errorText(thrown) };
  }
}

/** Runs a command in the container; a non-zero end or one that comes too late has failed. */
export async function execHandler(command: string[], target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  const child = await target.runtime.exec(target.containerId, { argv: command, tty: false, stdin: false, env: target.env });
  const output = collect(child);
  const outcome = await withTimeout(target.clock, timeoutMs, child.exited, () => child.kill());
  if (outcome === "timeout") return { ok: false, message: `command timed out: "${command.join(" ")}" timed out after ${seconds(timeoutMs)}` };
  return { ok: outcome.exitCode === 0, message: outcome.exitCode === 0 ? "" : await output };
}

async function httpHandler(spec: NonNullable<ProbeHandler["httpGet"]>, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  const host = spec.host || target.podIP;
  const port = resolvePort(spec.port, target.container);
  const secure = spec.scheme === "HTTPS";
  const path = spec.path || "/";
  const url = `${secure ? "https" : "http"}://${host}:${port}${path.startsWith("/") ? path : `/${path}`}`;
  let connection: Duplex | undefined;
  const attempt = async () => {
    connection = await dialPod(target, host, port);
    if (secure) connection = await startTls(connection);
    return httpGet(connection, { host, port, path, headers: spec.httpHeaders ?? [] });
  };
  try {
    const outcome = await withTimeout(target.clock, timeoutMs, attempt(), () => connection?.destroy());
    if (outcome === "timeout") return { ok: false, message: `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)` };
    const ok = outcome.status >= 200 && outcome.status < 400;
    return { ok, message: ok ? "" : `HTTP probe failed with statuscode: ${outcome.status}` };
  } catch (thrown) {
    return { ok: false, message: `Get "${url}": ${errorText(thrown)}` };
  }
}

async function tcpHandler(spec: NonNullable<ProbeHandler["tcpSocket"]>, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  const host = spec.host || target.podIP;
  const port = resolvePort(spec.port, target.container);
  const dialling = dialPod(target, host, port);
  const outcome = await withTimeout(
    target.clock,
    timeoutMs,
    dialling,
    () =>
      void dialling.then(
        (late) => late.destroy(),
        () => undefined,
      ),
  );
  if (outcome === "timeout") return { ok: false, message: `dial tcp ${host}:${port}: i/o timeout` };
  outcome.destroy();
  return { ok: true, message: "" };
}

async function grpcHandler(spec: NonNullable<ProbeHandler["grpc"]>, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  // Rarely used: HTTP/2 is loaded when the first pod asks for it.
  const { grpcHealthCheck } = await import("./grpc-health.ts");
  const connection = await dialPod(target, target.podIP, spec.port);
  const outcome = await withTimeout(target.clock, timeoutMs, grpcHealthCheck(connection, spec.service ?? ""), () => connection.destroy());
  if (outcome === "timeout") return { ok: false, message: `timeout: failed to connect service "${target.podIP}:${spec.port}" within ${seconds(timeoutMs)}` };
  return { ok: outcome === "SERVING", message: outcome === "SERVING" ? "" : `service unhealthy (responded with "${outcome}")` };
}

/** A number, or the name of one of the container's ports. */
export function resolvePort(port: IntOrString, container: Container): number {
  const number = typeof port === "number" ? port : /^\d+$/.test(port) ? Number(port) : container.ports?.find((p) => p.name === port)?.containerPort;
  if (number === undefined || number < 1 || number > 65535) {
    throw new ChainmailError("PROBE_PORT", `couldn't find port: ${JSON.stringify(port)} in container ${container.name}`);
  }
  return number;
}

/** Opens a connection from the node; failures get the words that Kubernetes' users search for. */
async function dialPod(target: HandlerTarget, host: string, port: number): Promise<Duplex> {
  try {
    return await target.runtime.dial("node", host, port);
  } catch (cause) {
    const refused = errorText(cause).includes("ECONNREFUSED") || (cause as { code?: unknown }).code === "ECONNREFUSED";
    throw new ChainmailError("PROBE_DIAL", `dial tcp ${host}:${port}: ${refused ? "connect: connection refused" : errorText(cause)}`, { cause });
  }
}

/** Probes do not verify certificates: the kubelet does not, since it cannot know their names. */
async function startTls(socket: Duplex): Promise<Duplex> {
  const { connect } = await import("node:tls");
  return new Promise((resolve, reject) => {
    const secure = connect({ socket, rejectUnauthorized: false }, () => resolve(secure));
    secure.once("error", reject);
  });
}

/** The result, or "timeout" after `ms`, when `cancel` is called and what comes later is dropped. */
function withTimeout<T>(clock: Clock, ms: number, work: Promise<T>, cancel: () => void): Promise<T | "timeout"> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(ms, () => {
      cancel();
      resolve("timeout");
    });
    work.then(
      (value) => {
        stop();
        resolve(value);
      },
      (error) => {
        stop();
        reject(error);
      },
    );
  });
}

async function collect(child: ExecProcess): Promise<string> {
  const parts = await Promise.all([child.stdout, child.stderr].filter((s) => s !== undefined).map(readStart));
  return parts.join("").slice(0, MAX_OUTPUT);
}

async function readStart(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  // Everything is read, lest the command blocks on a full pipe; only the beginning is kept.
  for await (const chunk of stream) if (text.length < MAX_OUTPUT) text += decoder.decode(chunk, { stream: true });
  return text;
}

function seconds(ms: number): string {
  return `${ms / 1000}s`;
}
