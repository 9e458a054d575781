import { createLogger, systemClock } from "../../base/index.ts";
import type { StatsConfig } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import type { OverloadConfig } from "../overload/index.ts";
import { DataPlane } from "../data-plane.ts";
import type { AccessLogSink, Secret, SecretProvider } from "../types.ts";
import { FakeSockets } from "./fake-sockets.ts";

/** Secrets that a test sets. */
export class TestSecrets implements SecretProvider {
  readonly #secrets = new Map<string, Secret>();
  readonly #watchers = new Set<{ name: string; onChange: (secret: Secret | undefined) => void }>();

  constructor(initial: { [name: string]: Secret } = {}) {
    for (const [name, secret] of Object.entries(initial)) this.#secrets.set(name, secret);
  }

  get(name: string): Secret | undefined {
    return this.#secrets.get(name);
  }

  set(name: string, secret: Secret): void {
    this.#secrets.set(name, secret);
    for (const watcher of this.#watchers) if (watcher.name === name) watcher.onChange(secret);
  }

  watch(name: string, onChange: (secret: Secret | undefined) => void): () => void {
    const watcher = { name, onChange };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

export interface SidecarOptions {
  readonly id: string;
  readonly metadata?: { readonly [key: string]: unknown };
  readonly secrets?: TestSecrets;
  readonly random?: () => number;
  readonly statsConfig?: StatsConfig;
  readonly overload?: OverloadConfig;
}

/** A data plane with everything around it that a test looks at. */
export class Sidecar {
  readonly sockets = new FakeSockets();
  readonly secrets: TestSecrets;
  readonly log: string[] = [];
  readonly dataPlane: DataPlane;

  constructor(options: SidecarOptions) {
    this.secrets = options.secrets ?? new TestSecrets();
    const sink: AccessLogSink = { write: (line) => void this.log.push(line.trimEnd()) };
    this.dataPlane = new DataPlane({
      node: { id: options.id, cluster: "test", metadata: options.metadata ?? {} },
      secrets: this.secrets,
      sockets: this.sockets,
      clock: systemClock,
      log: createLogger("proxy", { level: "error" }),
      accessLog: () => sink,
      random: options.random ?? Math.random,
      statsConfig: options.statsConfig,
      overload: options.overload,
    });
  }

  /** The real port of a listener. */
  port(listener: string): number {
    const found = this.dataPlane.listeners().find((each) => each.name === listener && each.bound);
    if (!found?.bound) throw new Error(`listener ${listener} is not bound`);
    return found.bound.port;
  }

  /** The value of a counter whose labels hold all of `labels`. */
  metric(name: string, labels: { readonly [label: string]: string } = {}): number {
    let sum = 0;
    for (const line of this.dataPlane.prometheus().split("\n")) {
      if (!line.startsWith(`${name}{`)) continue;
      if (Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`))) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
    }
    return sum;
  }
}
