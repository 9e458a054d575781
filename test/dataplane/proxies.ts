import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
/** A start on a busy machine with two cores. */
const START_MS = 60_000;

export type Side = "chainmail" | "envoy";

export interface Proxy {
  readonly side: Side;
  stop(): Promise<void>;
}

/** Starts one of the two on a bootstrap file and waits until its admin port says that it is live. */
export async function startProxy(side: Side, bootstrap: string, admin: { readonly address: string; readonly port: number }): Promise<Proxy> {
  const command =
    side === "chainmail"
      ? [process.execPath, join(ROOT, "src/cli/main.ts"), "proxy", "-c", bootstrap, "-l", "error"]
      : // The log is read soon after a call; ten seconds are Envoy's own interval.
        ["envoy", "-c", bootstrap, "--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart", "--file-flush-interval-msec", "20", "-l", "error"];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]).then((texts) => texts.join(""));
  let ended = false;
  void child.exited.then(() => (ended = true));
  const deadline = Date.now() + START_MS;
  for (;;) {
    if (ended || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${side} did not start: ${await output}`);
    }
    const ready = await fetch(`http://${admin.address}:${admin.port}/ready`).then(
      (answer) => answer.status === 200,
      () => false,
    );
    if (ready) break;
    await Bun.sleep(30);
  }
  return {
    side,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Whether a real Envoy can be asked here: it is on the path, and its time is wanted. */
export function envoyWanted(): boolean {
  return process.env.CHAINMAIL_CONFORMANCE === "1" && Bun.which("envoy") !== null;
}
