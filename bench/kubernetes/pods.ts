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
const PATIENCE_S = 180;
/** What ends with the last pod may take a moment, such as a process that is waited for. */
const SETTLE_MS = 5_000;

/** Two programs: one ends when it is asked to; the other does not hear of it, as PID 1 that handles no signal, and is killed after its grace. */
const PROGRAMS = {
  polite: { command: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"], terminationGracePeriodSeconds: 30 },
  deaf: { command: ["sleep", "100000"], terminationGracePeriodSeconds: 1 },
} as const;
type Program = keyof typeof PROGRAMS;

const DEPLOYMENTS = Object.entries(PROGRAMS).map(([name, { command, terminationGracePeriodSeconds }]) =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds, containers: [{ name: "main", image: "curlimages/curl", command }] },
      },
    },
  }),
);

export async function pods(): Promise<Row[]> {
  const home = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const env: Record<string, string> = { ...(process.env as Record<string, string>), CHAINMAIL_HOME: home };
  try {
    await sh(`${CHAINMAIL} up --name ${NAME} --no-mesh --port ${await freePort()}`, env);
    env.KUBECONFIG = join(home, "clusters", NAME, "kubeconfig");
    await sh("kubectl apply -f -", env, DEPLOYMENTS.join("\n"));
    const status = () => sh(`${CHAINMAIL} status --name ${NAME}`, env);
    // The first pods make what all share, and programs are compiled.
    const warm = await start(env, "polite");
    await stop(env, "polite");
    const before = await settled(status);
    const ready: number[] = [];
    const gone: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ready.push(await start(env, "polite"));
      gone.push(await stop(env, "polite"));
      console.error(`round ${round + 1} of ${ROUNDS}: Ready after ${ready.at(-1)?.toFixed(1)} s, gone after ${gone.at(-1)?.toFixed(1)} s`);
    }
    await start(env, "deaf");
    const killed = await stop(env, "deaf");
    const after = await settled(status);
    return [
      { name: `${PODS} pods, from 0 to Ready, first time`, value: warm, unit: "s", bar: READY_BAR_S, how: "from kubectl scale, a fresh cluster" },
      {
        name: `${PODS} pods, from 0 to Ready`,
        value: quantile(ready, 0.5),
        unit: "s",
        bar: READY_BAR_S,
        how: `median of ${ROUNDS}, worst ${Math.max(...ready).toFixed(1)}`,
      },
      {
        name: `${PODS} pods, from Ready to gone`,
        value: quantile(gone, 0.5),
        unit: "s",
        how: `median of ${ROUNDS}, worst ${Math.max(...gone).toFixed(1)}; programs that end when they are asked to`,
      },
      {
        name: `${PODS} pods that do not end when they are asked to, from Ready to gone`,
        value: killed,
        unit: "s",
        how: "two seconds, the least that a node gives, are in it",
      },
      ...(Object.keys(before) as (keyof ClusterTraces)[]).map((kind): Row => ({
        name: `${kind} left of ${(ROUNDS + 1) * PODS} pods`,
        value: Math.max(0, after[kind] - before[kind]),
        unit: "",
        bar: 0,
        how: `${before[kind]} before, ${after[kind]} after`,
      })),
    ];
  } finally {
    await sh(`${CHAINMAIL} down --name ${NAME} --delete`, env).catch((thrown: unknown) => console.error(String(thrown)));
    rmSync(home, { recursive: true, force: true });
  }
}

/** Seconds until all pods are there and Ready. */
async function start(env: Record<string, string>, program: Program): Promise<number> {
  const started = nowMs();
  await sh(`kubectl scale deploy/${program} --replicas=${PODS}`, env);
  await sh(`kubectl wait --for=jsonpath='{.status.readyReplicas}'=${PODS} deploy/${program} --timeout=${PATIENCE_S}s`, env);
  return (nowMs() - started) / 1000;
}

/** Seconds until the last pod is gone, as one watch saw it: `kubectl wait` asks for each pod in turn, five a second. */
async function stop(env: Record<string, string>, program: Program): Promise<number> {
  const watch = Bun.spawn(
    ["timeout", String(PATIENCE_S), "kubectl", "get", "pods", "-l", `app=${program}`, "--watch", "--output-watch-events", "-o", "jsonpath={.type} "],
    { env, stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  try {
    const begun = Promise.withResolvers<void>();
    const counts = { ADDED: 0, DELETED: 0 };
    const all = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of watch.stdout) {
        const text = decoder.decode(chunk);
        counts.ADDED += text.split("ADDED").length - 1;
        counts.DELETED += text.split("DELETED").length - 1;
        if (counts.ADDED >= PODS) begun.resolve();
        if (counts.DELETED >= PODS) return nowMs();
      }
      begun.reject(new Error("the watch ended early"));
      throw new Error(`only ${counts.DELETED} of ${PODS} pods are gone`);
    })();
    await Promise.race([begun.promise, all]);
    const started = nowMs();
    await sh(`kubectl scale deploy/${program} --replicas=0`, env);
    return ((await all) - started) / 1000;
  } finally {
    watch.kill();
    await watch.exited;
  }
}

async function settled(status: () => Promise<string>): Promise<ClusterTraces> {
  await Bun.sleep(SETTLE_MS);
  return clusterTraces(await status());
}

async function sh(command: string, env: Record<string, string>, input?: string): Promise<string> {
  const child = Bun.spawn(["bash", "-c", command], {
    env,
    stdin: input === undefined ? "ignore" : new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command}\nexit ${code}\n${stdout}${stderr}`);
  return stdout;
}
