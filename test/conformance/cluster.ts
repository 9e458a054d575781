import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findEnvoy } from "../../src/cli/envoy.ts";
import { requireUser } from "../../src/cluster/launch/index.ts";

const ROOT = join(import.meta.dir, "../..");

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Why tests with a real Envoy cannot run here; undefined when they can. They take minutes, so they run when asked for. */
export function reasonToSkip(): string | undefined {
  if (process.env.CHAINMAIL_CONFORMANCE !== "1") return "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)";
  try {
    findEnvoy(process.env.CHAINMAIL_ENVOY);
    requireUser(1337);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A cluster of a test's own, with a real Envoy in its pods if not told otherwise, and shells that are pointed at it. */
export class EnvoyCluster {
  readonly #home = mkdtempSync(join(tmpdir(), "chainmail-conformance-"));
  #env: Record<string, string> = {};

  private constructor(readonly name: string) {}

  static async start(name: string, flags = `--proxy envoy --envoy-path ${findEnvoy(process.env.CHAINMAIL_ENVOY).path}`): Promise<EnvoyCluster> {
    const cluster = new EnvoyCluster(name);
    cluster.#env = { ...(process.env as Record<string, string>), CHAINMAIL_HOME: cluster.#home };
    try {
      await cluster.must(`${ROOT}/bin/chainmail up --name ${name} --port ${freePort()} ${flags}`);
      const env = await cluster.must(`eval "$(${ROOT}/bin/chainmail env --name ${name})" && env`);
      cluster.#env = Object.fromEntries(
        env.split("\n").flatMap((line) => (line.includes("=") ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]] : [])),
      );
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** `chainmail <arguments> --name <this cluster>`. */
  chainmail(args: string): Promise<Result> {
    return this.sh(`${ROOT}/bin/chainmail ${args} --name ${this.name}`);
  }

  async sh(command: string, input?: string): Promise<Result> {
    const child = Bun.spawn(["bash", "-c", command], {
      env: this.#env,
      stdin: input === undefined ? "ignore" : new TextEncoder().encode(input),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    return { stdout, stderr, exitCode };
  }

  /** A command that goes on beside the test; `firstLine` of what it says. The caller kills it. */
  spawn(command: string): { kill(): void; exited: Promise<number>; firstLine(): Promise<string> } {
    const child = Bun.spawn(["bash", "-c", `exec ${command}`], { env: this.#env, stdin: "ignore", stdout: "pipe", stderr: "ignore" });
    const firstLine = async (): Promise<string> => {
      let text = "";
      const reader = child.stdout.getReader();
      while (!text.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`${command} ended and said only ${JSON.stringify(text)}`);
        text += new TextDecoder().decode(value);
      }
      reader.releaseLock();
      return text.slice(0, text.indexOf("\n"));
    };
    return { kill: () => child.kill(), exited: child.exited, firstLine };
  }

  async must(command: string, input?: string): Promise<string> {
    const { stdout, stderr, exitCode } = await this.sh(command, input);
    if (exitCode !== 0) throw new Error(`${command}\nexit ${exitCode}\n${stdout}${stderr}`);
    return stdout;
  }

  async stop(): Promise<void> {
    await this.chainmail("down --delete");
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Other clusters on this machine, of other homes, have the same loopback address. */
function freePort(): number {
  const probe = Bun.listen({ hostname: "127.77.1.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
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
