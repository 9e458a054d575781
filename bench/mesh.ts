/** Starts a cluster of its own with the lab in it and measures issue-sized bars: start, STRICT taking effect, memory. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHAINMAIL, clusterPid, descendants, median, proportionalSetSizes, sh, sum } from "./cluster-processes.ts";
import { firstPageRows } from "./first-page.ts";
import type { Row } from "./run.ts";

const NAME = "bench";
/** Repetitions of what varies: the median is stated. */
const STRICT_ROUNDS = 5;
const START_ROUNDS = 3;
/** After start, heaps settle and probes become regular. */
const SETTLE_MS = 10_000;

const STRICT = `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n`;

export async function run(): Promise<Row[]> {
  const home = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const env: Record<string, string> = { ...(process.env as Record<string, string>), CHAINMAIL_HOME: home };
  try {
    await sh(`${CHAINMAIL} lab --no-shell --name ${NAME}`, env);
    await sh(`${CHAINMAIL} down --name ${NAME}`, env);
    const starts: number[] = [];
    for (let round = 0; round < START_ROUNDS; round++) {
      if (round > 0) await sh(`${CHAINMAIL} down --name ${NAME}`, env);
      const started = performance.now();
      await sh(`${CHAINMAIL} up --name ${NAME}`, env);
      starts.push((performance.now() - started) / 1000);
    }
    const exported = await sh(`eval "$(${CHAINMAIL} env --name ${NAME})" && env`, env);
    for (const line of exported.split("\n"))
      if (/^(PATH|KUBECONFIG|GATEWAY_IP|SECURE_INGRESS_PORT|CHAINMAIL_LAB_DIR)=/.test(line))
        env[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    await sh(`cd $CHAINMAIL_LAB_DIR && kubectl apply -n default -f sample-apps/sleep.yaml && kubectl rollout status -n default deploy/sleep`, env);
    const latencies: number[] = [];
    for (let round = 0; round < STRICT_ROUNDS; round++) latencies.push(await strictLatency(env));
    const page = await firstPageRows(env);
    await sh("cd $CHAINMAIL_LAB_DIR && kubectl delete -n default -f sample-apps/sleep.yaml", env);
    await Bun.sleep(SETTLE_MS);
    const pid = await clusterPid(NAME, env);
    const memory = proportionalSetSizes(pid);
    const cpu = await idleCpu(pid);
    return [
      {
        name: "up to every pod Ready",
        value: median(starts),
        unit: "s",
        bar: 5,
        how: `median of ${START_ROUNDS}, lab's objects in the database, programs bundled`,
      },
      {
        name: "STRICT applied to plaintext refused everywhere",
        value: median(latencies),
        unit: "ms",
        bar: 200,
        how: `median of ${STRICT_ROUNDS}, from kubectl's exit to the last plaintext request let in, three services`,
      },
      {
        name: "memory of the idle mesh with the lab",
        value: sum(memory.map((p) => p.mb)),
        unit: "MB",
        bar: 400,
        how: `sum of proportional set sizes of ${memory.length} processes`,
      },
      {
        name: "memory of an idle sidecar, agent and proxy",
        value: median(memory.filter((p) => / proxy sidecar /.test(p.command)).map((p) => p.mb)),
        unit: "MB",
        how: "proportional set size, median of the lab's sidecars",
      },
      { name: "CPU of the idle mesh", value: cpu, unit: "%", how: "of one core over 10 s, all processes" },
      ...page,
    ];
  } finally {
    await sh(`${CHAINMAIL} down --name ${NAME} --delete`, env).catch((thrown: unknown) => console.error(String(thrown)));
    rmSync(home, { recursive: true, force: true });
  }
}

/** Milliseconds from the end of `kubectl apply` to the last plaintext answer that any of the services gave. */
async function strictLatency(env: Record<string, string>): Promise<number> {
  const services = ["web-api", "recommendation", "purchase-history"];
  const loop = services
    .map(
      (s) =>
        `(end=$(($(date +%s%3N)+4000)); while [ $(date +%s%3N) -lt $end ]; do [ "$(curl -s -m 1 -o /dev/null -w %{http_code} http://${s}.istioinaction:8080/health)" = 200 ] && date +%s%3N; done | tail -1) &`,
    )
    .join(" ");
  const watch = Bun.spawn(["kubectl", "exec", "-n", "default", "deploy/sleep", "--", "sh", "-c", `${loop} wait`], { env, stdout: "pipe", stderr: "inherit" });
  await Bun.sleep(1_500);
  await sh(`kubectl apply -f - <<'EOF'\n${STRICT}EOF`, env);
  const applied = Date.now();
  const last = (await new Response(watch.stdout).text()).trim().split("\n").map(Number);
  await watch.exited;
  await sh("kubectl delete peerauthentication default -n istio-system", env);
  if (last.length !== services.length || last.some((t) => !(t > 0))) throw new Error(`plaintext did not pass before STRICT: ${last.join(", ")}`);
  return Math.max(0, Math.max(...last) - applied);
}

async function idleCpu(root: number): Promise<number> {
  const ticks = () =>
    sum(
      descendants(root).map((pid) => {
        try {
          const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
            .replace(/^.*\) /s, "")
            .split(" ");
          return Number(fields[11]) + Number(fields[12]);
        } catch {
          return 0;
        }
      }),
    );
  const before = ticks();
  await Bun.sleep(10_000);
  // Clock ticks are 10 ms on every Linux that Bun runs on.
  return (((ticks() - before) * 10) / 10_000) * 100;
}
