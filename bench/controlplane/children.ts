/** The benchmark's own programs: the API server and the load client, and how they are spoken to. */
import { join } from "node:path";
import { createClient, transportFromKubeconfig, type KubeClient } from "../../src/kube/index.ts";
import type { Command, Seen } from "./load.ts";

export interface Api {
  readonly client: KubeClient;
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

export interface Load {
  ask(command: Command): Promise<Seen>;
  stop(): Promise<void>;
}

/** An API server of its own, with the world in it, in `folder`. */
export async function startApi(folder: string, services: number, pods: number): Promise<Api> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "api-server.ts"), folder, String(services), String(pods)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value, done } = await lines(child.stdout).next();
  if (done || !value.startsWith("{")) throw new Error(`the API server does not start: ${value ?? ""}`);
  const kubeconfig = join(folder, "kubeconfig");
  return { client: createClient(await transportFromKubeconfig(kubeconfig)), kubeconfig, stop: () => end(child) };
}

export function startLoad(): Load {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "load.ts")], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const answers = lines(child.stdout);
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      await child.stdin.flush();
      const { value, done } = await answers.next();
      if (done) throw new Error("the load client ended");
      return JSON.parse(value) as Seen;
    },
    stop: () => end(child),
  };
}

async function end(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
