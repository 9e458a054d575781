/** nft commands for one transaction, and what it changes. */
export interface Change<State> {
  commands: string;
  /** Records the change, once the kernel has taken it. */
  apply(state: State): void;
}

/**
 * Rootless, the kernel refuses a transaction of more than about 208 KB of netlink messages ("Message too long"), which
 * are up to eight times as long as these commands' text.
 */
const MAX_TRANSACTION = 20_000;

/** Collects commands in order into transactions of bounded size; what is added at once stays together. */
export class Transactions<State> {
  readonly #done: Change<State>[] = [];
  #commands = "";
  #applies: ((state: State) => void)[] = [];

  add(commands: string, apply: (state: State) => void): void {
    if (this.#commands.length + commands.length > MAX_TRANSACTION) this.#close();
    this.#commands += commands;
    this.#applies.push(apply);
  }

  finish(): Change<State>[] {
    this.#close();
    return this.#done;
  }

  #close(): void {
    if (this.#commands === "") return;
    const applies = this.#applies;
    this.#done.push({ commands: this.#commands, apply: (state) => applies.forEach((apply) => apply(state)) });
    this.#commands = "";
    this.#applies = [];
  }
}
