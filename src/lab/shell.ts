import type { CommandResult } from "./steps.ts";

/** Runs a command line as a person would type it: in bash, in the lab's folder, with the lab's environment. */
export interface Shell {
  run(command: string, options?: { timeoutMs?: number }): Promise<CommandResult>;
  /** A command that blocks until it is ended, as a dashboard's tunnel does. */
  start(command: string): { firstLines(pattern: RegExp, timeoutMs: number): Promise<string>; stop(): Promise<void> };
}

/** Nothing in the lab takes longer; a command that hangs must not hang the check. */
const COMMAND_TIMEOUT_MS = 60_000;

export function createShell(cwd: string, env: Record<string, string>): Shell {
  const spawn = (command: string) =>
    // A session of its own, so that ending the shell ends what it started.
    Bun.spawn(["setsid", "bash", "-c", command], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const endGroup = (pid: number) => {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group has ended by itself.
    }
  };
  return {
    async run(command, options = {}) {
      const child = spawn(command);
      const timer = setTimeout(() => endGroup(child.pid), options.timeoutMs ?? COMMAND_TIMEOUT_MS);
      const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
      clearTimeout(timer);
      return { stdout, stderr, exitCode };
    },
    start(command) {
      const child = spawn(command);
      return {
        async firstLines(pattern, timeoutMs) {
          const reader = child.stdout.getReader();
          const decoder = new TextDecoder();
          let text = "";
          const deadline = setTimeout(() => endGroup(child.pid), timeoutMs);
          while (!pattern.test(text)) {
            const chunk = await reader.read();
            if (chunk.done) break;
            text += decoder.decode(chunk.value, { stream: true });
          }
          clearTimeout(deadline);
          reader.releaseLock();
          return text;
        },
        async stop() {
          endGroup(child.pid);
          await child.exited;
        },
      };
    },
  };
}
