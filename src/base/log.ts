/** Log levels as Istio's scopes name them. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "none";

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger for a part, its name joined with a dot. */
  child(scope: string): Logger;
  /** Changes the level of this logger and those made from it. */
  setLevel(level: LogLevel): void;
}

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, none: 4 };

/**
 * Lines as Istio prints them: RFC 3339 time, level, scope, message, then key=value fields, tab separated.
 * Never hand it a key, a token or a Secret's data.
 */
export function createLogger(scope: string, options: { level?: LogLevel; write?: (line: string) => void; now?: () => number } = {}): Logger {
  const state = { level: options.level ?? "info" };
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  const now = options.now ?? Date.now;
  const make = (name: string): Logger => {
    const emit = (level: LogLevel) => (message: string, fields?: Record<string, unknown>) => {
      if (ORDER[level] < ORDER[state.level]) return;
      let line = `${new Date(now()).toISOString()}\t${level}\t${name}\t${message}`;
      for (const key in fields) line += `\t${key}=${format(fields[key])}`;
      write(`${line}\n`);
    };
    return {
      debug: emit("debug"),
      info: emit("info"),
      warn: emit("warn"),
      error: emit("error"),
      child: (part) => make(`${name}.${part}`),
      setLevel: (level) => {
        state.level = level;
      },
    };
  };
  return make(scope);
}

function format(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === "string") return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? String(value);
}
