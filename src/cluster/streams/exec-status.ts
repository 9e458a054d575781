import { errorText } from "../../base/index.ts";

/** The Status that ends an exec, as remotecommand's v4 protocol and later send it. */
export function exitStatus(exitCode: number, command: string[]): string {
  if (exitCode === 0) return JSON.stringify({ metadata: {}, status: "Success" });
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: error executing command [${command.join(" ")}], exit code ${exitCode}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  });
}

/** The Status when the command's end is not known. */
export function failureStatus(thrown: unknown): string {
  return JSON.stringify({ metadata: {}, status: "Failure", message: errorText(thrown), reason: "InternalError", code: 500 });
}

/** `{"Width":80,"Height":24}`; undefined when it is none. */
export function parseResize(text: string): { columns: number; rows: number } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("Width" in value) || !("Height" in value)) return undefined;
  const { Width: columns, Height: rows } = value;
  const valid = (n: unknown): n is number => typeof n === "number" && Number.isInteger(n) && n > 0 && n < 65536;
  return valid(columns) && valid(rows) ? { columns, rows } : undefined;
}
