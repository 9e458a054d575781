import { COMPONENT_TEXTS, type ComponentName } from "./components.ts";

/** Where progress goes: lines to a pipe, one line that changes to a terminal. */
export interface ProgressScreen {
  readonly terminal: boolean;
  /** Characters of a line; what is longer is cut. */
  readonly width: number;
  write(text: string): void;
}

/** How wide a line is where nobody says. */
const USUAL_WIDTH = 100;
/** "- " in front of a line. */
const PREFIX_WIDTH = 2;

export function screenOf(stream: NodeJS.WriteStream): ProgressScreen {
  return { terminal: stream.isTTY === true, width: stream.isTTY ? stream.columns : USUAL_WIDTH, write: (text) => void stream.write(text) };
}

/** Tells of several components at once in one line, and leaves a line behind for each that is done. */
export class Progress {
  readonly #running = new Map<ComponentName, string[]>();
  #last = "";

  constructor(readonly screen: ProgressScreen) {}

  start(name: ComponentName): void {
    this.#running.set(name, []);
    this.#status();
  }

  waiting(name: ComponentName, resources: readonly string[]): void {
    this.#running.set(name, [...resources]);
    this.#status();
  }

  finish(name: ComponentName): void {
    this.#end(name, `${this.#colored("✔", 32)} ${COMPONENT_TEXTS[name].title} installed ${COMPONENT_TEXTS[name].icon}`);
  }

  fail(name: ComponentName, reason: string): void {
    this.#end(name, `${this.#colored("✘", 31)} ${COMPONENT_TEXTS[name].title} encountered an error: ${reason}`);
  }

  pruning(): void {
    this.#show(`${this.#colored("-", 33)} Pruning removed resources`);
  }

  /** Others are about to write lines of their own. */
  endLine(): void {
    if (this.#last !== "") this.screen.write("\n");
    this.#last = "";
  }

  complete(text: string): void {
    this.#show(`${this.#colored("✔", 32)} ${text}`);
    this.screen.write("\n");
  }

  #status(): void {
    const titles = [...this.#running.keys()].map((name) => COMPONENT_TEXTS[name].title).sort();
    const awaited = [...this.#running.values()].flat().sort();
    const text = `Processing resources for ${titles.join(", ")}.${awaited.length > 0 ? ` Waiting for ${awaited.join(", ")}` : ""}`;
    const room = this.screen.width - PREFIX_WIDTH;
    this.#show(`${this.#colored("-", 33)} ${text.length > room ? `${text.slice(0, room - 3)}...` : text}`);
  }

  #end(name: ComponentName, text: string): void {
    this.#running.delete(name);
    this.#show(text);
    if (this.screen.terminal) this.screen.write("\n");
    this.#last = "";
  }

  #show(text: string): void {
    if (text === this.#last) return;
    this.#last = text;
    // A terminal's line is written over, with what was left of a longer one wiped out.
    this.screen.write(this.screen.terminal ? `\r\u001b[K${text}` : `\n${text}`);
  }

  #colored(text: string, color: number): string {
    return this.screen.terminal ? `\u001b[${color}m${text}\u001b[0m` : text;
  }
}
