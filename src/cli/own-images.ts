import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { basename, join, resolve, sep } from "node:path";
import { ChainmailError } from "../base/index.ts";
import type { ImageConfig, ImageMount } from "../cluster/images/index.ts";

/** Where the working folder of a program of the machine's appears in its pods. */
const APP = "/app";
const PROGRAMS = "/opt/chainmail/exec";
/** Folders of the machine that every pod sees under their own names. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface OwnImageOptions {
  /** A command line, parted as a shell would; no shell runs it. */
  exec?: string;
  cwd?: string;
  rootfs?: string;
  /** `NAME=value` */
  env: string[];
  user?: string;
  port: string[];
  /** `HOST:PATH`, `HOST:PATH:rw` */
  mount: string[];
  writable: boolean;
}

export interface OwnImageDefinition {
  config: ImageConfig;
  folder?: string;
  mounts: ImageMount[];
}

export interface Surroundings {
  /** Where the command was called. */
  cwd: string;
  /** Folders in which programs are looked for. */
  path: string;
  /** What no pod may see: keys and databases. */
  secret: string[];
  /** What no pod may change: the checkout that Chainmail runs from. */
  readOnly: string[];
}

/** An image out of a program or a folder of this machine. Throws with the reason and what to write instead. */
export function defineImage(options: OwnImageOptions, around: Surroundings): OwnImageDefinition {
  if (options.exec === undefined && options.rootfs === undefined)
    throw new ChainmailError("IMAGE_EMPTY", "the image would have neither program nor files", {
      hint: 'chainmail image add NAME --exec "node server.js" --cwd ./app, or --rootfs DIR',
    });
  const argv = options.exec === undefined ? [] : splitWords(options.exec);
  const folder = options.rootfs === undefined ? undefined : folderOf(options.rootfs, around);
  const mounts = options.mount.map((text) => parseMount(text, around));
  const config: ImageConfig = {
    entrypoint: argv,
    cmd: [],
    env: Object.fromEntries(options.env.map(parseVariable)),
    user: options.user ?? "",
    workingDir: "/",
    exposedPorts: options.port.map((port) => (port.includes("/") ? port : `${port}/tcp`)),
  };
  if (folder !== undefined) {
    if (folder === "/")
      throw new ChainmailError("ROOTFS_REFUSED", "the machine's own root cannot be an image's", {
        hint: "chainmail image add NAME --exec PROGRAM runs a program of the machine",
      });
    // In a root of its own, the working folder is a path in there.
    return { config: { ...config, workingDir: options.cwd ?? "/" }, folder, mounts };
  }
  const cwd = options.cwd === undefined ? undefined : folderOf(options.cwd, around);
  if (cwd !== undefined) {
    mounts.unshift({ hostPath: cwd, containerPath: APP, writable: checkedWritable(options.writable, cwd, around) });
    config.workingDir = APP;
  }
  const [program = "", ...rest] = argv;
  const found = findProgram(program, cwd, around);
  if (found.mount) mounts.push(found.mount);
  return { config: { ...config, entrypoint: [found.path, ...rest], env: { PATH: DEFAULT_PATH, ...config.env } }, mounts };
}

/** How the program is called in the pod, and the file to show there where it is none of the system's. */
function findProgram(program: string, cwd: string | undefined, around: Surroundings): { path: string; mount?: ImageMount } {
  const candidates = program.includes("/") ? [resolve(cwd ?? around.cwd, program)] : around.path.split(":").map((folder) => join(folder, program));
  const path = candidates.find(isProgram);
  if (path === undefined)
    throw new ChainmailError("PROGRAM_NOT_FOUND", `there is no program ${program} ${program.includes("/") ? "at that path" : "on the PATH"} of this machine`);
  const real = realpathSync(path);
  if (cwd !== undefined && within(real, cwd) && within(path, cwd)) return { path: join(APP, path.slice(cwd.length)) };
  // By its name where the pod's own PATH finds the same file, since programs look at how they were called.
  if (isSystem(path) && isSystem(real)) return { path: program.includes("/") ? path : program };
  refuseSecret(real, around);
  const containerPath = join(PROGRAMS, basename(path));
  return { path: containerPath, mount: { hostPath: real, containerPath, writable: false } };
}

function parseMount(text: string, around: Surroundings): ImageMount {
  const [host = "", containerPath = "", mode = "ro", ...more] = text.split(":");
  if (!host || !containerPath.startsWith("/") || containerPath === "/" || !["ro", "rw"].includes(mode) || more.length > 0) {
    throw new ChainmailError("MOUNT_INVALID", `"${text}" is no mount: write HOST:PATH or HOST:PATH:rw, with PATH from the pod's root on`);
  }
  const hostPath = existing(host, around);
  return { hostPath, containerPath, writable: checkedWritable(mode === "rw", hostPath, around) };
}

function folderOf(path: string, around: Surroundings): string {
  const real = existing(path, around);
  if (!statSync(real).isDirectory()) throw new ChainmailError("NOT_A_FOLDER", `${path} is no folder`);
  return real;
}

function existing(path: string, around: Surroundings): string {
  const full = resolve(around.cwd, path);
  if (!existsSync(full)) throw new ChainmailError("FILE_NOT_FOUND", `${path} does not exist`);
  const real = realpathSync(full);
  refuseSecret(real, around);
  return real;
}

function refuseSecret(path: string, around: Surroundings): void {
  const secret = around.secret.find((folder) => within(path, folder) || within(folder, path));
  if (secret !== undefined)
    throw new ChainmailError("PATH_PROTECTED", `${path} would show ${secret} to pods, which holds the clusters' keys`, { hint: "name a narrower folder" });
}

function checkedWritable(writable: boolean, path: string, around: Surroundings): boolean {
  const protectedFolder = writable && around.readOnly.find((folder) => within(path, folder) || within(folder, path));
  if (protectedFolder)
    throw new ChainmailError("PATH_PROTECTED", `pods could change ${protectedFolder}, which Chainmail itself runs from`, {
      hint: "leave out --writable or :rw, or name another folder",
    });
  return writable;
}

function parseVariable(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new ChainmailError("VARIABLE_INVALID", `"${text}" sets no variable: write NAME=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** Words as a POSIX shell parts them: blanks, both quotes, backslash. What only a shell could do is refused. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const sign = line[i] ?? "";
    if (quote === "'" || (quote === '"' && sign !== "\\" && sign !== '"')) {
      if (sign === quote) quote = "";
      else word += sign;
    } else if (sign === '"' && quote === '"') quote = "";
    else if (sign === "\\") {
      i += 1;
      if (i >= line.length) throw unfinished(line);
      // Within double quotes a backslash means itself before most signs.
      word = (word ?? "") + (quote === '"' && !'"\\$`'.includes(line[i] ?? "") ? "\\" : "") + line[i];
    } else if (sign === "'" || sign === '"') {
      quote = sign;
      word ??= "";
    } else if (/\s/.test(sign)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if ("|&;<>()$`".includes(sign)) {
      throw new ChainmailError("COMMAND_NEEDS_SHELL", `the command holds "${sign}", which a shell would have to read`, {
        hint: `--exec "sh -c '${line.replaceAll("'", "'\\''")}'"`,
      });
    } else word = (word ?? "") + sign;
  }
  if (quote !== "") throw unfinished(line);
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new ChainmailError("COMMAND_EMPTY", "the command is empty");
  return words;
}

function unfinished(line: string): ChainmailError {
  return new ChainmailError("COMMAND_UNFINISHED", `a quote is not closed in: ${line}`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // Not in this folder.
  }
}

function isSystem(path: string): boolean {
  return SYSTEM.some((folder) => within(path, folder));
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
