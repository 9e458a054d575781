import { type Clock, type Logger, ChainmailError, errorText } from "../../base/index.ts";

/** What can be watched: an answer that is worked out again and again while somebody looks. */
export interface Watchable {
  /** Between two rounds; 0 where only a change of the mesh's objects changes the answer. */
  everyMs: number;
  compute(): Promise<unknown>;
}

export type HubMessage =
  | { event: "update"; data: { watch: string; time: number; data: unknown } }
  | { event: "problem"; data: { watch: string; message: string; hint: string | undefined } };

type Listener = (message: HubMessage) => void;

/** A burst of watch events, as at a rollout, becomes one round; far below what a person sees as delay. */
const TOUCH_DELAY_MS = 50;
/** A round that takes long (thousands of edges) must not keep the server busy all the time. */
const SHARE_OF_TIME = 4;

/**
 * Answers that pages look at, each worked out once however many pages look, and not at all when none does. A page is
 * told only when an answer has changed.
 */
export class Hub {
  readonly #topics = new Map<string, Topic>();

  constructor(
    private readonly resolve: (watch: string) => Watchable | undefined,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** How many answers are being worked out now. */
  get size(): number {
    return this.#topics.size;
  }

  /** Starts telling `listener` of one answer; false when there is no such answer. The returned function ends it. */
  watch(name: string, listener: Listener): (() => void) | undefined {
    let topic = this.#topics.get(name);
    if (!topic) {
      const watchable = this.resolve(name);
      if (!watchable) return undefined;
      topic = new Topic(name, watchable, this.clock, this.log);
      this.#topics.set(name, topic);
    }
    const joined = topic;
    joined.join(listener);
    return () => {
      if (joined.leave(listener)) this.#topics.delete(name);
    };
  }

  /** The mesh's objects have changed: all answers are worked out again soon. */
  touch(): void {
    for (const topic of this.#topics.values()) topic.touch();
  }
}

class Topic {
  readonly #listeners = new Set<Listener>();
  #last: HubMessage | undefined;
  #text = "";
  #cancel: (() => void) | undefined;
  #dueAt = Infinity;
  #running = false;
  #again = false;

  constructor(
    private readonly name: string,
    private readonly watchable: Watchable,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  join(listener: Listener): void {
    this.#listeners.add(listener);
    if (this.#last) listener(this.#last);
    if (this.#listeners.size === 1) void this.#round();
  }

  /** True when nobody is left. */
  leave(listener: Listener): boolean {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return false;
    this.#cancel?.();
    this.#cancel = undefined;
    return true;
  }

  touch(): void {
    if (this.#running) this.#again = true;
    else this.#schedule(TOUCH_DELAY_MS);
  }

  async #round(): Promise<void> {
    this.#cancel = undefined;
    this.#dueAt = Infinity;
    this.#running = true;
    const started = this.clock.now();
    try {
      const data = await this.watchable.compute();
      const text = JSON.stringify(data) ?? "null";
      if (text !== this.#text || this.#last?.event !== "update") this.#tell({ event: "update", data: { watch: this.name, time: this.clock.now(), data } });
      this.#text = text;
    } catch (thrown) {
      const message = errorText(thrown);
      if (this.#last?.event !== "problem" || this.#last.data.message !== message) {
        this.log.warn("a watched answer failed", { watch: this.name, error: message });
        this.#tell({ event: "problem", data: { watch: this.name, message, hint: thrown instanceof ChainmailError ? thrown.hint : undefined } });
      }
    }
    this.#running = false;
    if (this.#listeners.size === 0) return;
    if (this.#again) this.#schedule(TOUCH_DELAY_MS);
    // What failed is tried again, even where only changes would bring a new round.
    else if (this.watchable.everyMs > 0 || this.#last?.event === "problem")
      this.#schedule(Math.max(this.watchable.everyMs || 2_000, SHARE_OF_TIME * (this.clock.now() - started)));
    this.#again = false;
  }

  /** The sooner of two wishes counts. */
  #schedule(ms: number): void {
    if (this.#listeners.size === 0) return;
    const at = this.clock.now() + ms;
    if (this.#cancel && this.#dueAt <= at) return;
    this.#cancel?.();
    this.#dueAt = at;
    this.#cancel = this.clock.after(ms, () => void this.#round());
  }

  #tell(message: HubMessage): void {
    this.#last = message;
    for (const listener of this.#listeners) listener(message);
  }
}
