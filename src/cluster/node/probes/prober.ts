import type { Probe } from "../../../resources/index.ts";
import { runProbe, type HandlerResult, type HandlerTarget } from "./handlers.ts";

export type ProbeKind = "Startup" | "Readiness" | "Liveness";

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

    const attempt = async () => {
      if (this.#stopped) return;
      const began = target.clock.now();
      const result = await run(probe, target, timeout);
      if (this.#stopped) return;
      if (!result.ok) callbacks.onFailure(kind, result.message);
      inRow = result.ok === lastOk ? inRow + 1 : 1;
      lastOk = result.ok;
      if (inRow >= needed[`${result.ok}`] && verdict(result.ok) === "stop") return;
      // By the period from the attempt's beginning, as a ticker does; at least a moment later.
      later(Math.max(0, began + period - target.clock.now()));
    };
    const later = (ms: number) => {
      if (this.#stopped) return;
      const cancel = target.clock.after(ms, () => {
        this.#cancels.delete(cancel);
        void attempt();
      });
      this.#cancels.add(cancel);
    };
    const delay = startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - target.clock.now();
    if (delay > 0) later(delay);
    else void attempt();
  }
}
