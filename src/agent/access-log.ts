import { appendFileSync } from "node:fs";
import type { AccessLogSink } from "../proxy/types.ts";
import { writeError, writeOutput } from "./output.ts";

/**
 * Sinks for access logs by path. Lines are collected for a moment and written at once: a write a request would cost more
 * than all the rest of logging.
 */
export function accessLogSinks(): (path: string) => AccessLogSink {
  const sinks = new Map<string, AccessLogSink>();
  return (path) => {
    let sink = sinks.get(path);
    if (!sink) sinks.set(path, (sink = bufferedSink(path)));
    return sink;
  };
}

function bufferedSink(path: string): AccessLogSink {
  if (path === "/dev/null") return { write() {} };
  let buffer = "";
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    const text = buffer;
    buffer = "";
    if (path === "/dev/stdout") writeOutput(text);
    else if (path === "/dev/stderr") writeError(text);
    else appendFileSync(path, text);
  };
  process.once("exit", () => buffer !== "" && flush());
  return {
    write(line) {
      buffer += line;
      if (buffer.length > FLUSH_CHARS) flush();
      else if (!scheduled) {
        scheduled = true;
        setTimeout(flush, FLUSH_MS);
      }
    },
  };
}

/** A pipe's capacity: larger writes would block on a slow reader anyway. */
const FLUSH_CHARS = 64 * 1024;
/** Envoy flushes after 10 s or 64 KB; people watch these lines, so they come at once to the eye. */
const FLUSH_MS = 20;
