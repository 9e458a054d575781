import type { Probe } from "../../../resources/index.ts";
import { runProbe, type HandlerResult, type HandlerTarget } from "./handlers.ts";

export type ProbeKind = "Startup" | "Readiness" | "Liveness";

/**
 * Until a start-up or readiness probe has first passed, it is also tried in between, at growing distances: most programs
 * are ready within a fraction of a period, and a pod that waits for the next full one makes every start seem slow. Such
 * an extra attempt can only succeed: a failure neither counts nor makes an event.
 */
const FIRST_EXTRA_MS = 50;

/** Kubernetes' defaults, should the API server not have filled them in. */
const DEFAULTS = { periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3, initialDelaySeconds: 0 };

export interface ProberCallbacks {
  /** The start-up probe has passed (at once where there is none). */
  onStarted(): void;
  onReady(ready: boolean): void;
  /** The container has to be restarted: start-up or liveness failed too often. */
  onKill(kind: ProbeKind, probe: Probe): void;
  /** Each failed attempt, for an event. */
  onFailure(kind: ProbeKind, message: string): void;
}

export interface ProberOptions {
  target: HandlerTarget;
  startedAt: number;
  callbacks: ProberCallbacks;
  /** For tests. */
  run?: (probe: Probe, target: HandlerTarget, timeoutMs: number) => Promise<HandlerResult>;
}

/**
 * The probes of one running container. Start-up first; when it has passed, readiness is probed at once and then by its
 * period, and liveness begins. Each counts its results in a row against its thresholds.
 */
export class Prober {
  #stopped = false;
  readonly #cancels = new Set<() => void>();

  constructor(readonly options: ProberOptions) {}

  start(): void {
    const { startupProbe } = this.options.target.container;
    if (!startupProbe) return this.#afterStartup();
    this.#loop("Startup", startupProbe, (ok) => {
      if (ok) this.#afterStartup();
      else this.#kill("Startup", startupProbe);
      return "stop";
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #afterStartup(): void {
    const { container } = this.options.target;
    this.options.callbacks.onStarted();
    if (container.readinessProbe) {
      this.#loop("Readiness", container.readinessProbe, (ok) => {
        this.options.callbacks.onReady(ok);
        return "go on";
      });
    } else this.options.callbacks.onReady(true);
    const { livenessProbe } = container;
    if (livenessProbe) {
      this.#loop("Liveness", livenessProbe, (ok) => {
        if (ok) return "go on";
        this.#kill("Liveness", livenessProbe);
        return "stop";
      });
    }
  }

  #kill(kind: ProbeKind, probe: Probe): void {
    this.stop();
    this.options.callbacks.onKill(kind, probe);
  }

  /** Calls `verdict` each time as many results in a row as the threshold asks for agree. */
  #loop(kind: ProbeKind, probe: Probe, verdict: (ok: boolean) => "stop" | "go on"): void {
    const { target, startedAt, callbacks, run = runProbe } = this.options;
    const period = (probe.periodSeconds || DEFAULTS.periodSeconds) * 1000;
    const timeout = (probe.timeoutSeconds || DEFAULTS.timeoutSeconds) * 1000;
    const needed = { true: probe.successThreshold || DEFAULTS.successThreshold, false: probe.failureThreshold || DEFAULTS.failureThreshold };
    let lastOk: boolean | undefined;
    let inRow = 0;
    /** Distance to the next extra attempt; undefined when there are none. */
    let extra: number | undefined;
    let nextDue = Math.max(target.clock.now(), startedAt + (probe.initialDelaySeconds ?? 0) * 1000);

    const attempt = async () => {
      if (this.#stopped) return;
      const began = target.clock.now();
      const counts = began >= nextDue;
      if (counts) nextDue = began + period;
      if (lastOk === undefined && kind !== "Liveness") extra ??= FIRST_EXTRA_MS;
      const result = await run(probe, target, timeout);
      if (this.#stopped) return;
      if (counts || result.ok) {
        if (!result.ok) callbacks.onFailure(kind, result.message);
        inRow = result.ok === lastOk ? inRow + 1 : 1;
        lastOk = result.ok;
        if (result.ok) {
          extra = undefined;
          nextDue = began + period;
        }
        if (inRow >= needed[`${result.ok}`] && verdict(result.ok) === "stop") return;
      }
      schedule();
    };
    const schedule = () => {
      if (this.#stopped) return;
      let wait = Math.max(0, nextDue - target.clock.now());
      if (extra !== undefined && extra < wait) {
        wait = extra;
        extra *= 2;
      }
      const cancel = target.clock.after(wait, () => {
        this.#cancels.delete(cancel);
        void attempt();
      });
      this.#cancels.add(cancel);
    };
    if (nextDue > target.clock.now()) schedule();
    else void attempt();
  }
}
