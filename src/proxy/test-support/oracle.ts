/**
 * Another reader's opinion, from a Node child: questions and answers are lines of JSON. Bun's own node:http and
 * node:http2 are other programs than Node's, which stand on llhttp and nghttp2.
 */
export class Oracle {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #reader: { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };
  readonly #decoder = new TextDecoder();
  #held = "";

  private constructor(node: string, script: string) {
    const path = new URL(script, import.meta.url).pathname;
    this.#child = Bun.spawn([node, "--no-deprecation", path], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#reader = this.#child.stdout.getReader();
  }

  /** `script`: a file of this folder. Undefined where there is no Node. */
  static start(script: string): Oracle | undefined {
    const node = Bun.which("node");
    return node ? new Oracle(node, `./${script}`) : undefined;
  }

  async ask<Answer>(question: unknown): Promise<Answer> {
    void this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    void this.#child.stdin.flush();
    const parts = [this.#held];
    while (!(parts.at(-1) as string).includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the oracle has ended");
      parts.push(this.#decoder.decode(value, { stream: true }));
    }
    const text = parts.join("");
    const end = text.indexOf("\n");
    this.#held = text.slice(end + 1);
    return JSON.parse(text.slice(0, end)) as Answer;
  }

  stop(): void {
    this.#child.kill();
  }
}
