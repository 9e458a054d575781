import { errorText } from "../../../base/index.ts";

/** What the system says of files that cannot be read, in the words of Go's programs. */
const REASONS: Record<string, string> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
};

/** `open notes.yaml: no such file or directory`. */
export function fileError(path: string, cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return `${code === "EISDIR" ? "read" : "open"} ${path}: ${REASONS[code] ?? errorText(cause)}`;
}
