import type { AccessLogSink } from "../types.ts";

/** One sink a path, however many configurations name it. */
export function sharedAccessLogs(open: (path: string) => AccessLogSink): (path: string) => AccessLogSink {
  const sinks = new Map<string, AccessLogSink>();
  return (path) => {
    let sink = sinks.get(path);
    if (!sink) {
      sink = open(path);
      sinks.set(path, sink);
    }
    return sink;
  };
}
