import type { Duplex } from "node:stream";
import { ChainmailError, errorText, type Clock } from "../../base/index.ts";
import { logStream } from "./logs/log-stream.ts";
import { rotatedPath } from "./logs/rotation.ts";
import type { PodWorker } from "./pod-worker.ts";
import type { ContainerRecord } from "./records.ts";
import type { ContainerUnit } from "./container-unit.ts";
import type { ContainerRuntime, ExecProcess } from "../runtime/types.ts";
import type { LogOptions, PodStreams } from "./types.ts";

/** The streaming side of the node: logs, exec, attach, port-forward of the pods that `find` knows. */
export function createPodStreams(options: {
  runtime: ContainerRuntime;
  clock: Clock;
  find(namespace: string, pod: string): PodWorker | undefined;
}): PodStreams {
  const { runtime, clock } = options;

  const worker = (namespace: string, pod: string): PodWorker => {
    const found = options.find(namespace, pod);
    if (!found) throw new ChainmailError("POD_NOT_FOUND", `pod "${pod}" in namespace "${namespace}" is not running on this node`);
    return found;
  };
  const recordOf = (pod: PodWorker, container: string): ContainerRecord => {
    const record = pod.records.find((r) => r.name === container);
    if (!record) throw new ChainmailError("CONTAINER_NOT_FOUND", `container ${container} is not valid for pod ${pod.pod.metadata.name}`);
    return record;
  };
  const running = (namespace: string, podName: string, container: string): ContainerUnit => {
    const pod = worker(namespace, podName);
    recordOf(pod, container);
    const unit = pod.units.get(container);
    if (!unit?.alive) throw new ChainmailError("CONTAINER_NOT_RUNNING", `unable to upgrade connection: container not found ("${container}")`);
    return unit;
  };

  return {
    async logs(namespace, podName, container, request) {
      const pod = worker(namespace, podName);
      const record = recordOf(pod, container);
      const attempt = logAttempt(record, podName, request.previous);
      const path = pod.folders.logPath(container, attempt);
      const isCurrent = () => record.starts - 1 === attempt && record.phase.kind === "running";
      return logStream({
        clock,
        path,
        rotatedPath: rotatedPath(path),
        timestamps: request.timestamps,
        ...sinceOf(request, clock),
        ...(request.limitBytes === undefined ? {} : { limitBytes: request.limitBytes }),
        ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
        ...(request.follow ? { follow: { finished: () => !isCurrent() } } : {}),
      });
    },

    async exec(namespace, podName, container, { command, stdin, tty }) {
      const unit = running(namespace, podName, container);
      // `kubectl cp` unpacks by tar, which as root would give files their owners, which a root without capabilities cannot.
      const tar: Record<string, string> = command[0] === "tar" ? { TAR_OPTIONS: "--no-same-owner" } : {};
      return runtime.exec(unit.spec.id, { argv: command, stdin, tty, env: { ...tar, ...unit.spec.env } });
    },

    async attach(namespace, podName, container, request) {
      const unit = running(namespace, podName, container);
      return unit.handle.attach?.() ?? attachToLog(unit, clock, request.tty);
    },

    async portForward(namespace, podName, port): Promise<Duplex> {
      const { sandboxId } = worker(namespace, podName);
      if (sandboxId === undefined) throw new ChainmailError("PORT_UNREACHABLE", `unable to do port forwarding: pod ${podName} is not running`);
      try {
        return await runtime.dial({ sandboxId }, "127.0.0.1", port);
      } catch (cause) {
        throw new ChainmailError("PORT_UNREACHABLE", `failed to connect to localhost:${port} inside namespace "${sandboxId}": ${errorText(cause)}`, { cause });
      }
    },
  };
}

/** Which attempt's log is asked for. Throws when there is none, in the kubelet's words. */
function logAttempt(record: ContainerRecord, pod: string, previous: boolean): number {
  if (record.starts === 0) {
    const reason = record.phase.kind === "waiting" ? record.phase.reason : "ContainerCreating";
    const text = /Image|ErrImage/.test(reason) ? "trying and failing to pull image" : reason;
    throw new ChainmailError("CONTAINER_NOT_RUNNING", `container "${record.name}" in pod "${pod}" is waiting to start: ${text}`);
  }
  // While a container waits for its next start, its last attempt is the current one.
  const attempt = record.starts - 1 - (previous ? 1 : 0);
  if (attempt < 0) throw new ChainmailError("CONTAINER_NOT_RUNNING", `previous terminated container "${record.name}" in pod "${pod}" not found`);
  return attempt;
}

function sinceOf(request: LogOptions, clock: Clock): { since?: number } {
  if (request.sinceTime !== undefined) return { since: Date.parse(request.sinceTime) };
  return request.sinceSeconds === undefined ? {} : { since: clock.now() - request.sinceSeconds * 1000 };
}

/** Where the runtime cannot join a container's own streams: its output from now on, and no input. */
function attachToLog(unit: ContainerUnit, clock: Clock, tty: boolean): ExecProcess {
  const { logPath } = unit.spec;
  const stdout = logStream({
    clock,
    path: logPath,
    rotatedPath: rotatedPath(logPath),
    timestamps: false,
    tailLines: 0,
    follow: { finished: () => !unit.alive },
  });
  const empty = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  return { stdout, ...(tty ? {} : { stderr: empty }), resize() {}, exited: unit.handle.exited, kill() {} };
}
