/** The memory of an idle sidecar in the lab, agent and proxy: ours beside a real Envoy with its agent, each in a cluster of its own, in turn. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHAINMAIL, clusterPid, descendants, median, proportionalSetSizes, sh, sum } from "./cluster-processes.ts";
import { freePort } from "./dataplane/processes.ts";
import type { Row } from "./run.ts";

const NAME = "bench-sidecar";
const ROUNDS = 2;
/** Long enough for probes and scrapes to have come round a few times. */
const SETTLE_MS = 30_000;

export async function run(): Promise<Row[]> {
  const found = { chainmail: [] as number[], envoy: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    found.chainmail.push(...(await sidecars("")));
    found.envoy.push(...(await sidecars("--proxy envoy")));
  }
  const how = `proportional set size with what it starts, ${SETTLE_MS / 1000} s after the lab was ready; median of ${found.chainmail.length} sidecars of ${ROUNDS} clusters`;
  const [ours, envoys] = [median(found.chainmail), median(found.envoy)];
  return [
    { name: "chainmail: an idle sidecar", value: ours, unit: "MB", how },
    { name: "envoy: an idle sidecar, its agent included", value: envoys, unit: "MB", how },
    { name: "ratio to Envoy: an idle sidecar", value: ours / envoys, unit: "x", bar: 0.5, how: "agent and proxy" },
  ];
}

/** Megabytes of each sidecar of a new cluster with the lab's services. */
async function sidecars(options: string): Promise<number[]> {
  const home = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const env: Record<string, string> = { ...(process.env as Record<string, string>), CHAINMAIL_HOME: home };
  try {
    await sh(`${CHAINMAIL} up ${options} --name ${NAME} --port ${await freePort()} && ${CHAINMAIL} lab --no-shell --name ${NAME}`, env);
    await Bun.sleep(SETTLE_MS);
    const processes = proportionalSetSizes(await clusterPid(NAME, env));
    const agents = processes.filter(({ command }) => / proxy sidecar /.test(command));
    if (agents.length === 0) throw new Error("the cluster has no sidecars");
    return agents.map(({ pid }) => {
      const own = new Set(descendants(pid));
      return sum(processes.filter((each) => own.has(each.pid)).map(({ mb }) => mb));
    });
  } finally {
    await sh(`${CHAINMAIL} down --name ${NAME} --delete`, env).catch((thrown: unknown) => console.error(String(thrown)));
    rmSync(home, { recursive: true, force: true });
  }
}
