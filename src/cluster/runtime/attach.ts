import type { Container } from "./container.ts";
import type { ExecProcess } from "./types.ts";

/** A live view of a running container's streams, in the shape of an exec: `kubectl attach`. */
export function attachTo(container: Container): ExecProcess {
  const { stdin, tty } = container.spec;
  const outputs: Partial<Record<"stdout" | "stderr", ReadableStreamDefaultController<Uint8Array>>> = {};
  let letGo = (): void => {};
  const stream = (name: "stdout" | "stderr") =>
    new ReadableStream<Uint8Array>({
      start: (controller) => void (outputs[name] = controller),
      cancel: () => void delete outputs[name],
    });
  const stdout = stream("stdout");
  const stderr = tty ? undefined : stream("stderr");
  const close = (): void => {
    letGo();
    for (const name of ["stdout", "stderr"] as const) {
      outputs[name]?.close();
      delete outputs[name];
    }
  };
  letGo = container.subscribe({ onOutput: (name, chunk) => outputs[name]?.enqueue(chunk.slice()), onExit: close });
  return {
    ...(stdin ? { stdin: { write: (chunk: Uint8Array) => container.input(chunk), end: () => container.spec.stdinOnce && container.endInput() } } : {}),
    stdout,
    ...(stderr ? { stderr } : {}),
    resize: (columns, rows) => container.resize(columns, rows),
    exited: container.exited,
    kill: () => {
      close();
      if (container.spec.stdinOnce) container.endInput();
    },
  };
}
