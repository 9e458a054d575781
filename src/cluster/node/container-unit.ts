import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { createHash } from "node:crypto";
import { constants } from "node:os";
import { errorText } from "../../base/index.ts";
import type { Container, Probe } from "../../resources/index.ts";
import type { Image } from "../images/index.ts";
import type { ContainerSpec, RunningContainer } from "../runtime/types.ts";
import type { NodeContext } from "./context.ts";
import { runHook } from "./hooks.ts";
import type { HandlerTarget } from "./probes/handlers.ts";
import { Prober, type ProbeKind } from "./probes/prober.ts";
import type { ContainerRecord, Exit } from "./records.ts";
import type { Stoppable } from "./termination.ts";

/** Kubernetes' limit for a termination message. */
const MAX_MESSAGE = 4096;
/** FallbackToLogsOnError takes the last part of the log. */
const MAX_LOG_MESSAGE = 2048;

export interface UnitCallbacks {
  /** Started, ready or not: the pod's status and plan may change. */
  onChange(): void;
  onExit(exit: Exit): void;
  onUnhealthy(kind: ProbeKind, message: string): void;
  onKill(kind: ProbeKind, probe: Probe): void;
  onHookFailed(hook: "PostStart" | "PreStop", message: string): void;
}

/** One running container: its process, probes and hooks. Lives from one start to that process' end. */
export class ContainerUnit {
  readonly exited: Promise<void>;
  readonly containerId: string;
  /** Its end has been asked for. */
  stopping = false;
  #prober: Prober | undefined;
  #alive = true;

  constructor(
    readonly context: NodeContext,
    readonly container: Container,
    readonly image: Image,
    readonly record: ContainerRecord,
    readonly spec: ContainerSpec,
    readonly handle: RunningContainer,
    readonly podIP: string,
    readonly terminationLog: string,
    readonly startedAt: number,
    readonly callbacks: UnitCallbacks,
  ) {
    this.containerId = containerId(spec.id);
    this.exited = handle.exited.then(({ exitCode, outOfMemory }) => this.#ended(exitCode, outOfMemory ?? false));
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The hook that holds up what starts after this container. Answers whether the container may go on. */
  async postStart(signal: AbortSignal): Promise<boolean> {
    const hook = this.container.lifecycle?.postStart;
    if (!hook) return true;
    try {
      await Promise.race([runHook(hook, this.#target(), signal), this.exited]);
      return true;
    } catch (thrown) {
      this.callbacks.onHookFailed("PostStart", errorText(thrown));
      return false;
    }
  }

  startProbes(): void {
    if (!this.#alive) return;
    const { record, callbacks } = this;
    const running = () => (record.phase.kind === "running" && this.#alive ? record.phase : undefined);
    this.#prober = new Prober({
      target: this.#target(),
      startedAt: this.startedAt,
      callbacks: {
        onStarted: () => {
          const phase = running();
          if (!phase) return;
          phase.started = true;
          callbacks.onChange();
        },
        onReady: (ready) => {
          const phase = running();
          if (!phase || phase.ready === ready) return;
          phase.ready = ready;
          callbacks.onChange();
        },
        onKill: callbacks.onKill,
        onFailure: callbacks.onUnhealthy,
      },
    });
    this.#prober.start();
  }

  stopProbes(): void {
    this.#prober?.stop();
  }

  stoppable(index: number): Stoppable {
    const hook = this.container.lifecycle?.preStop;
    return {
      name: this.record.name,
      role: this.record.role,
      index,
      ...(hook
        ? {
            preStop: async (signal: AbortSignal) => {
              try {
                await runHook(hook, this.#target(), signal);
              } catch (thrown) {
                this.callbacks.onHookFailed("PreStop", errorText(thrown));
              }
            },
          }
        : {}),
      kill: (signal) => {
        if (this.#alive) this.handle.kill(signal === "SIGTERM" ? this.#stopSignal() : signal);
      },
      exited: this.exited,
    };
  }

  /** What asks the program to end: the pod's word, else the image's. */
  #stopSignal(): NodeJS.Signals {
    return signalOf(this.container.lifecycle?.stopSignal) ?? signalOf(this.image.own?.stopSignal) ?? "SIGTERM";
  }

  #target(): HandlerTarget {
    const { runtime, clock } = this.context;
    return { runtime, clock, container: this.container, containerId: this.spec.id, podIP: this.podIP, env: this.spec.env };
  }

  #ended(exitCode: number, outOfMemory: boolean): void {
    this.#alive = false;
    this.stopProbes();
    const message = this.#lastWords(exitCode);
    const exit: Exit = {
      exitCode,
      reason: outOfMemory ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error",
      startedAt: this.startedAt,
      finishedAt: this.context.clock.now(),
      containerId: this.containerId,
      ...(message ? { message } : {}),
    };
    this.callbacks.onExit(exit);
  }

  #lastWords(exitCode: number): string {
    const readTail = (path: string, limit: number) => {
      try {
        return readEnd(path, limit);
      } catch (thrown) {
        // What a container said last is a courtesy; that it has ended must be told in any case.
        this.context.log.debug("last words not read", { path, error: errorText(thrown) });
        return "";
      }
    };
    const written = readTail(this.terminationLog, MAX_MESSAGE);
    if (written || exitCode === 0 || this.container.terminationMessagePolicy !== "FallbackToLogsOnError") return written;
    // The log's own lines carry a time, stream and tag before the text.
    return readTail(this.spec.logPath, MAX_LOG_MESSAGE).replace(/^\S+ std(?:out|err) [FP] /gm, "");
  }
}

/** `chainmail://<64 hex digits>`: the form that container runtimes use, the same for the same attempt. */
export function containerId(specId: string): string {
  return `chainmail://${createHash("sha256").update(specId).digest("hex")}`;
}

/** An identity for what an image runs: the digest of an archive, or of the definition. */
export function imageId(image: Image): string {
  const { repository, own } = image;
  if (own) return `${repository}@${own.digest}`;
  const definition: unknown = image;
  return `${repository}@sha256:${createHash("sha256").update(JSON.stringify(definition)).digest("hex")}`;
}

/** `SIGQUIT`, `QUIT` or `3`, as Dockerfiles have it; undefined for what this machine does not know. */
function signalOf(text: string | undefined): NodeJS.Signals | undefined {
  const signals = constants.signals as Record<string, number>;
  const wanted = (text ?? "").toUpperCase();
  return Object.keys(signals).find((name) => name === wanted || name === `SIG${wanted}` || String(signals[name]) === wanted) as NodeJS.Signals | undefined;
}

/** The last `limit` bytes of a file as text. */
function readEnd(path: string, limit: number): string {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(limit, size));
    const read = readSync(fd, buffer, 0, buffer.length, Math.max(0, size - buffer.length));
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(fd);
  }
}
