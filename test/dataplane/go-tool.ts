import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Beside the libraries, so that a tool is built once for a checkout and goes with it. */
const FOLDER = join(import.meta.dir, "../../node_modules/.cache/chainmail-tools");

/**
 * A Go program: the one on the path, else built from `module` by the Go that is there. Undefined when neither is, or the
 * module cannot be had.
 */
export function goTool(name: string, module: string): string | undefined {
  const built = join(FOLDER, name);
  const found = Bun.which(name) ?? (existsSync(built) ? built : null);
  if (found) return found;
  const go = Bun.which("go");
  if (!go) return undefined;
  mkdirSync(FOLDER, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "chainmail-go-"));
  try {
    // -modcacherw: a module cache that can be removed again.
    const env = { ...process.env, GOBIN: FOLDER, GOPATH: scratch, GOFLAGS: "-modcacherw" };
    const { exitCode } = Bun.spawnSync([go, "install", module], { env, stdout: "inherit", stderr: "inherit" });
    return exitCode === 0 && existsSync(built) ? built : undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
