import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

/** End-to-end tests need a running cluster with the lab in it: the test command starts one and sets this. */
export const HAS_CLUSTER = process.env.CHAINMAIL_E2E === "1";

export interface Result {
  stdout: string;
  stderr: string;
  exitCode: number;
}

let environment: Record<string, string> | undefined;

/** The environment that `chainmail env` gives, read once. */
async function clusterEnvironment(): Promise<Record<string, string>> {
  if (environment) return environment;
  const result = await run(`eval "$(${ROOT}/bin/chainmail env)" && env`, process.env as Record<string, string>);
  environment = Object.fromEntries(
    result.stdout.split("\n").flatMap((line) => (line.includes("=") ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]] : [])),
  );
  return environment;
}

/** Runs a command line in bash with kubectl and istioctl pointed at the cluster, in the lab's folder. */
export async function sh(command: string, options: { input?: string } = {}): Promise<Result> {
  const env = await clusterEnvironment();
  return run(command, env, env.CHAINMAIL_LAB_DIR, options.input);
}

/** Like `sh`, but fails the test unless the command succeeds; returns what it printed. */
export async function must(command: string, options: { input?: string } = {}): Promise<string> {
  const result = await sh(command, options);
  if (result.exitCode !== 0) throw new Error(`${command}\nexit ${result.exitCode}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** Tries again until `check` no longer throws; for what takes effect a moment later. */
export async function eventually<T>(check: () => Promise<T>, timeoutMs = 15_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (thrown) {
      if (Date.now() > deadline) throw thrown;
      await Bun.sleep(100);
    }
  }
}

async function run(command: string, env: Record<string, string>, cwd?: string, input?: string): Promise<Result> {
  const child = Bun.spawn(["bash", "-c", command], {
    env,
    cwd,
    stdin: input === undefined ? "ignore" : new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { stdout, stderr, exitCode };
}
