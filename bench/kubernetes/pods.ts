/** 100 pods of one small program on the node, and a thousand that come and go: time, CPU, and what is left of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClusterTraces, clusterTraces } from "../../test/e2e/cluster-traces.ts";
import { nowMs } from "../controlplane/process-figures.ts";
import { freePort } from "../dataplane/processes.ts";
import type { Row } from "../run.ts";
import { quantile } from "./measure.ts";

const CHAINMAIL = join(import.meta.dir, "../../bin/chainmail");
const NAME = "bench";
const PODS = 100;
/** Rounds of all pods: a thousand in all. */
const ROUNDS = 10;
const READY_BAR_S = 10;
/** On a machine that is busy with something else as well. */
const PATIENCE = "180s";
/** What ends with the last pod may take a moment, such as a process that is waited for. */
const SETTLE_MS = 5_000;

const DEPLOYMENT = JSON.stringify({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "small", namespace: "default" },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: "small" } },
    template: { metadata: { labels: { app: "small" } }, spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "curlimages/curl", command: ["sleep", "100000"] }] } },
  },
});

export async function pods(): Promise<Row[]> {
  const home = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const env: Record<string, string> = { ...(process.env as Record<string, string>), CHAINMAIL_HOME: home };
  try {
    await sh(`${CHAINMAIL} up --name ${NAME} --no-mesh --port ${await freePort()}`, env);
    env.KUBECONFIG = join(home, "clusters", NAME, "kubeconfig");
    await sh("kubectl apply -f -", env, DEPLOYMENT);
    const status = () => sh(`${CHAINMAIL} status --name ${NAME}`, env);
    // The first pods make what all share, and programs are compiled.
    const warm = await scale(env, PODS);
    await scale(env, 0);
    const before = await settled(status);
    const ready: number[] = [];
    const gone: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ready.push(await scale(env, PODS));
      gone.push(await scale(env, 0));
      console.error(`round ${round + 1} of ${ROUNDS}: Ready after ${ready.at(-1)?.toFixed(1)} s, gone after ${gone.at(-1)?.toFixed(1)} s`);
    }
    const after = await settled(status);
    return [
      { name: `${PODS} pods, from 0 to Ready, first time`, value: warm, unit: "s", bar: READY_BAR_S, how: "from kubectl scale, a fresh cluster" },
      { name: `${PODS} pods, from 0 to Ready`, value: quantile(ready, 0.5), unit: "s", bar: READY_BAR_S, how: `median of ${ROUNDS}, worst ${Math.max(...ready).toFixed(1)}` },
      { name: `${PODS} pods, from Ready to gone`, value: quantile(gone, 0.5), unit: "s", how: `median of ${ROUNDS}; a second of grace in it` },
      ...(Object.keys(before) as (keyof ClusterTraces)[]).map((kind): Row => ({ name: `${kind} left of ${ROUNDS * PODS} pods`, value: Math.max(0, after[kind] - before[kind]), unit: "", bar: 0, how: `${before[kind]} before, ${after[kind]} after` })),
    ];
  } finally {
    await sh(`${CHAINMAIL} down --name ${NAME} --delete`, env).catch((thrown: unknown) => console.error(String(thrown)));
    rmSync(home, { recursive: true, force: true });
  }
}

/** Seconds until there are so many pods and all are Ready. */
async function scale(env: Record<string, string>, replicas: number): Promise<number> {
  const started = nowMs();
  await sh(`kubectl scale deploy/small --replicas=${replicas}`, env);
  if (replicas > 0) await sh(`kubectl wait --for=jsonpath='{.status.readyReplicas}'=${replicas} deploy/small --timeout=${PATIENCE}`, env);
  else await sh(`kubectl wait --for=delete pod -l app=small --timeout=${PATIENCE}`, env);
  return (nowMs() - started) / 1000;
}

async function settled(status: () => Promise<string>): Promise<ClusterTraces> {
  await Bun.sleep(SETTLE_MS);
  return clusterTraces(await status());
}

async function sh(command: string, env: Record<string, string>, input?: string): Promise<string> {
  const child = Bun.spawn(["bash", "-c", command], { env, stdin: input === undefined ? "ignore" : new TextEncoder().encode(input), stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command}\nexit ${code}\n${stdout}${stderr}`);
  return stdout;
}
