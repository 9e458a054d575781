import { closeFd, resizeTerminal } from "../../linux/index.ts";
import { PipeWriter } from "./pipes.ts";

/** What a terminal takes for the end of its input. */
const END_OF_TRANSMISSION = Uint8Array.of(4);
/** After the program's exit, its last output comes at once; a process left behind may keep the terminal open for ever. */
const QUIET_MS = 100;

/** Our end of a terminal: output as it is taken, input, size. It is closed when the output has been read to its end. */
export class TerminalStreams {
  readonly output: ReadableStream<Uint8Array>;
  readonly #input: PipeWriter;
  readonly #fd: number;
  #open = true;

  /** `exited`: when the program that the terminal was made for has ended. */
  constructor(fd: number, exited: Promise<unknown>) {
    this.#fd = fd;
    this.#input = new PipeWriter(fd, { keepOpen: true });
    const reader = Bun.file(fd).stream().getReader();
    this.output = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunk = await nextChunk(reader, exited);
        if (chunk) return controller.enqueue(chunk);
        controller.close();
        this.#close(reader);
      },
      cancel: () => this.#close(reader),
    });
  }

  write(chunk: Uint8Array): void | Promise<void> {
    return this.#input.write(chunk);
  }

  /** As ^D. */
  end(): void {
    void this.write(END_OF_TRANSMISSION);
  }

  resize(columns: number, rows: number): void {
    if (this.#open) resizeTerminal(this.#fd, columns, rows);
  }

  #close(reader: ReadableStreamDefaultReader<Uint8Array>): void {
    if (!this.#open) return;
    this.#open = false;
    this.#input.abandon();
    // It reads through a duplicate of its own.
    void reader.cancel().catch(() => {});
    closeFd(this.#fd);
  }
}

/** Undefined at the end: no program has the terminal open any more, or the one that mattered has ended and said all. */
async function nextChunk(reader: ReadableStreamDefaultReader<Uint8Array>, exited: Promise<unknown>): Promise<Uint8Array | undefined> {
  const quiet = exited.then(() => Bun.sleep(QUIET_MS)).then(() => undefined);
  try {
    const result = await Promise.race([reader.read(), quiet]);
    return result?.value;
  } catch (error) {
    // This is how a terminal says that no program has it open.
    if (error instanceof Error && "code" in error && error.code === "EIO") return undefined;
    throw error;
  }
}
