import { errorText, systemClock, type Clock, type Logger } from "../../base/index.ts";
import type { ServiceEntry } from "./service-entry.ts";
import { desiredRules, diffRules, type RuleState } from "./service-rules.ts";

export interface ServiceTableOptions {
  nodeIp: string;
  localAddresses: string[];
  /** Runs one nft transaction in the node's namespace. */
  nft(commands: string): Promise<unknown>;
  logger: Logger;
  clock?: Clock;
}

/** A refused transaction changes nothing, so the next try starts from what the kernel is known to hold. */
const RETRY_MS = 1_000;

/** Keeps the kernel's service rules equal to the services given: only differences are sent, one change after the other. */
export class ServiceTable {
  readonly #options: ServiceTableOptions;
  readonly #clock: Clock;
  readonly #wanted = new Map<string, ServiceEntry>();
  readonly #applied: RuleState = { elements: new Map(), chains: new Map() };
  #running: Promise<void> | undefined;
  #dirty = false;
  #stopped = false;

  constructor(options: ServiceTableOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** All services there are. Resolves when the kernel follows them, or a failure has been logged and will be tried again. */
  update(entries: ServiceEntry[]): Promise<void> {
    this.#wanted.clear();
    for (const entry of entries) this.#wanted.set(entry.key, entry);
    return this.#sync();
  }

  /** Some services: undefined where one is gone. */
  change(changes: Map<string, ServiceEntry | undefined>): Promise<void> {
    for (const [key, entry] of changes) {
      if (entry) this.#wanted.set(key, entry);
      else this.#wanted.delete(key);
    }
    return this.#sync();
  }

  stop(): void {
    this.#stopped = true;
  }

  #sync(): Promise<void> {
    this.#dirty = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false;
      try {
        for (const change of diffRules(this.#applied, desiredRules(this.#wanted.values(), this.#options))) {
          await this.#options.nft(change.commands);
          change.apply(this.#applied);
        }
      } catch (error) {
        this.#options.logger.error("the kernel refused service rules", { error: errorText(error) });
        if (!this.#stopped) this.#clock.after(RETRY_MS, () => void this.#sync());
        return;
      }
    }
  }
}
