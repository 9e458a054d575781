import { errorText, type Logger } from "../../base/index.ts";
import { closeFd, setNonBlocking } from "../../linux/index.ts";

/** Reads lines until the last writer is gone, then closes the descriptor. */
export function readTelemetry(fd: number, onLine: (line: string) => void, log: Logger): void {
  setNonBlocking(fd);
  const decoder = new TextDecoder();
  let rest = "";
  const read = async (): Promise<void> => {
    try {
      // Bun reads through a duplicate of its own and closes only that.
      for await (const chunk of Bun.file(fd).stream()) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onLine(line);
        if (rest.length > MAX_LINE) rest = "";
      }
    } finally {
      closeFd(fd);
    }
  };
  read().catch((error: unknown) => log.error("metrics of requests have stopped: Envoy's log cannot be read", { error: errorText(error) }));
}

/** Host names and flags make some hundred bytes; what never ends is no line. */
const MAX_LINE = 64 * 1024;
