import { lstatSync } from "node:fs";
import { ChainmailError } from "../../base/index.ts";
import type { ImageRoot } from "./types.ts";

/**
 * Shells give these a meaning of their own, or refuse to set them. They go through `env`, where for a moment they can be
 * read off its command line, so no other does.
 */
const SPECIAL =
  /^(?:_|IFS|LINENO|OPTIND|OPTERR|PPID|PS4|UID|EUID|GROUPS|RANDOM|SECONDS|DIRSTACK|FUNCNAME|HISTCMD|PIPESTATUS|SHELLOPTS|POSIXLY_CORRECT|BASH.*)$/;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Shell text that gives a process its environment and leads over to its program. A container's variables can hold
 * secrets, and a command line is read by every user of the machine: so they are handed over in a file without a name,
 * and only to a shell that has no privileges left, since LD_PRELOAD may be among them.
 * `envPath` is the program env as the process will see it; without one, variables that no shell can set are left out.
 * Throws INVALID_ENVIRONMENT for a name that no process can have.
 */
export function environmentScript(env: Record<string, string>, envPath: string | undefined): string {
  const words: string[] = [];
  const names: string[] = [];
  let script = "";
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw new ChainmailError(
        "INVALID_ENVIRONMENT",
        `"${name.replaceAll("\0", "")}" cannot be an environment variable: its name is empty or holds "=", or there is a NUL`,
      );
    }
    if (IDENTIFIER.test(name) && !SPECIAL.test(name)) script += `export ${name}=${quote(value)}\n`;
    else {
      words.push(quote(`${name}=${value}`));
      names.push(name);
    }
  }
  if (words.length > 0 && envPath === undefined)
    script += `echo "chainmail: the image has no env program, which variables of such names need:" ${names.map(quote).join(" ")} >&2\n`;
  else if (words.length > 0 && envPath !== undefined) script += `set -- ${quote(envPath)} ${words.join(" ")} "$@"\n`;
  return script;
}

/** Where a process that is being started finds what it waits for; 5 is the wrapper's (container-start.ts). */
export const GATE_FDS = { ready: 3, go: 4, environment: 6 } as const;

/**
 * The arguments of sh that wait at the gate, then go to the working folder, take the environment and become the program.
 * Between the byte and the line, the process's root becomes the container's. The file is opened by its path in /proc, so
 * it is read from its start.
 */
export function enterArguments(workingDir: string): string[] {
  const { ready, go, environment } = GATE_FDS;
  const wait = `printf . >&${ready} && read -r go <&${go} && unset go`;
  const enter = `cd -- "$1" && shift && unset OLDPWD && . /proc/self/fd/${environment}`;
  return ["-c", `${wait} && ${enter} && exec ${ready}>&- ${go}<&- ${environment}<&- "$@"`, "chainmail", workingDir];
}

/** Where the program env is in a container of that root; undefined when an image has none. */
export function envProgram(root: ImageRoot | undefined, machines: string): string | undefined {
  // A link need not lead anywhere yet: it does so in the container.
  return root === undefined ? machines : ["/usr/bin/env", "/bin/env"].find((path) => lstatSync(root.folder + path, { throwIfNoEntry: false }));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
