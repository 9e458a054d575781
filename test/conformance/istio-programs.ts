import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The commit of Istio that everything here is compared with: one before its release 1.32. */
export const ISTIO_MODULE = "istio.io/istio";
export const ISTIO_VERSION = "v0.0.0-20260827124520-eed52ebb66ad";

const PACKAGES = { istioctl: "istioctl/cmd/istioctl", "pilot-discovery": "pilot/cmd/pilot-discovery", "pilot-agent": "pilot/cmd/pilot-agent" } as const;
export type IstioProgram = keyof typeof PACKAGES;

export type Found = { readonly path: string; readonly reason?: undefined } | { readonly path?: undefined; readonly reason: string };

/** A first build fetches and compiles some 3,000 packages: minutes, on a small machine more. */
const BUILD_TIMEOUT_MS = 20 * 60_000;

/** One of Istio's own programs, in conformance runs only. */
export function findIstio(name: IstioProgram): Found {
  return process.env.CHAINMAIL_CONFORMANCE === "1" ? locateIstio(name) : { reason: "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)" };
}

/**
 * One of Istio's own programs: of $CHAINMAIL_ISTIO_BIN, of the path, of the cache, or built there by Go from the module.
 * Without any of these, the reason why not.
 */
export function locateIstio(name: IstioProgram): Found {
  const folders = [process.env.CHAINMAIL_ISTIO_BIN ?? "", ...(process.env.PATH ?? "").split(":"), CACHE].filter((folder) => folder !== "");
  const known = folders.map((folder) => join(folder, name)).find(isBinary);
  return known ? { path: realpathSync(known) } : build(name);
}

/** A file of the module's sources, where Go has it or can fetch it. */
export function istioSource(path: string): Found {
  const answer = run(["go", "mod", "download", "-json", `${ISTIO_MODULE}@${ISTIO_VERSION}`]);
  const folder = answer.ok ? (JSON.parse(answer.text) as { Dir?: string }).Dir : undefined;
  return folder === undefined ? { reason: `Istio's sources cannot be fetched: ${answer.text}` } : { path: join(folder, path) };
}

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chainmail", `istio-${ISTIO_VERSION}`);

function build(name: IstioProgram): Found {
  mkdirSync(CACHE, { recursive: true });
  const answer = run(["go", "install", `${ISTIO_MODULE}/${PACKAGES[name]}@${ISTIO_VERSION}`], { GOBIN: CACHE });
  return answer.ok ? { path: join(CACHE, name) } : { reason: `no ${name} on the path, and Go cannot build it: ${answer.text}` };
}

function run(command: string[], env: Record<string, string> = {}): { ok: boolean; text: string } {
  if (Bun.which(command[0] ?? "") === null) return { ok: false, text: `there is no ${command[0]} on the path` };
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe", timeout: BUILD_TIMEOUT_MS });
  return { ok: exitCode === 0, text: exitCode === 0 ? stdout.toString() : stderr.toString().trim().split("\n").slice(-3).join(" ") };
}

/** Chainmail's own istioctl is a script: only a binary is Istio's. */
function isBinary(path: string): boolean {
  if (!existsSync(path)) return false;
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(4);
    readSync(fd, head, 0, head.length, 0);
    return head.toString("latin1") === "\x7fELF";
  } finally {
    closeSync(fd);
  }
}
