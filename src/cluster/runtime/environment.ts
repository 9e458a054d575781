import { ChainmailError } from "../../base/index.ts";

/**
 * Shells give these a meaning of their own, or refuse to set them. They go through `env`, where for a moment they can be
 * read off its command line, so no other does.
 */
const SPECIAL = /^(?:_|IFS|LINENO|OPTIND|OPTERR|PPID|PS4|UID|EUID|GROUPS|RANDOM|SECONDS|DIRSTACK|FUNCNAME|HISTCMD|PIPESTATUS|SHELLOPTS|POSIXLY_CORRECT|BASH.*)$/;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Shell text that gives a process its environment and leads over to its program. A container's variables can hold
 * secrets, and a command line is read by every user of the machine: so they are handed over in a file without a name,
 * and only to a shell that has no privileges left, since LD_PRELOAD may be among them.
 * Throws INVALID_ENVIRONMENT for a name that no process can have.
 */
export function environmentScript(env: Record<string, string>, envPath: string): string {
  const words: string[] = [];
  let script = "";
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw new ChainmailError("INVALID_ENVIRONMENT", `"${name.replaceAll("\0", "")}" cannot be an environment variable: its name is empty or holds "=", or there is a NUL`);
    }
    if (IDENTIFIER.test(name) && !SPECIAL.test(name)) script += `export ${name}=${quote(value)}\n`;
    else words.push(quote(`${name}=${value}`));
  }
  if (words.length > 0) script += `set -- ${quote(envPath)} ${words.join(" ")} "$@"\n`;
  return script;
}

/**
 * The arguments of sh for it: does what `prepare` says, reads the script from descriptor `fd`, and becomes the program
 * that its further arguments name. The file is opened by its path in /proc, so it is read from its start.
 */
export function enterArguments(fd: number, prepare = ":"): string[] {
  return ["-c", `${prepare} && . /proc/self/fd/${fd} && exec ${fd}<&- "$@"`, "chainmail"];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
