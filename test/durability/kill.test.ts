import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestServer } from "../../src/cluster/apiserver/testing.ts";
import { Store } from "../../src/cluster/store/index.ts";
import { isAbsent, NAMESPACE, WORKERS } from "./life.ts";

/** A few rounds belong to every test run; CHAINMAIL_KILL_ROUNDS=200 is the long run. */
const ROUNDS = Number(process.env.CHAINMAIL_KILL_ROUNDS ?? 2);
/** Writes after which a round's process may be killed, and how long after that at most. */
const WARM_UP_WRITES = 40;
const MAX_DELAY_MS = 120;
const ROUND_TIMEOUT_MS = 20_000;

const folder = mkdtempSync(join(tmpdir(), "chainmail-durability-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Acknowledged {
  name: string;
  step: number;
  revision: number;
}

test(
  "kill -9 under load: what was acknowledged is there, revisions only grow, watches go on or are told to begin anew",
  async () => {
    const path = join(folder, "state.db");
    let steps = Array<number>(WORKERS).fill(0);
    let newest = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const acknowledged = await writeUntilKilled(path, steps);
      const store = new Store({ path });
      const last = steps.map((step, worker) => Math.max(step, ...acknowledged.filter(({ name }) => name === `w${worker}`).map((one) => one.step)));
      steps = last.map((step, worker) => survivedStep(store, worker, step, round));
      const revisions = acknowledged.map(({ revision }) => revision).filter((revision) => revision > 0);
      // One line of each worker may come before another's that was written earlier; what a restart gives is newer than all.
      expect(Math.min(...revisions)).toBeGreaterThan(newest);
      newest = Math.max(...revisions, newest);
      expect(store.revision).toBeGreaterThanOrEqual(newest);
      await checkWatch(store, revisions[Math.floor(revisions.length / 2)] ?? newest);
      newest = store.revision;
      store.close();
    }
  },
  ROUNDS * ROUND_TIMEOUT_MS,
);

async function writeUntilKilled(path: string, steps: readonly number[]): Promise<Acknowledged[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "writer.ts"), path, ...steps.map((step) => String(step + 1))], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines: string[] = [];
  let rest = "";
  let doomed = false;
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    if (doomed || lines.length < WARM_UP_WRITES) continue;
    doomed = true;
    setTimeout(() => child.kill("SIGKILL"), Math.random() * MAX_DELAY_MS);
  }
  await child.exited;
  if (child.signalCode !== "SIGKILL") throw new Error(`the writer ended by itself: ${await new Response(child.stderr).text()}`);
  return lines.map((line) => {
    const [name = "", step, revision] = line.split(" ");
    return { name, step: Number(step), revision: Number(revision) };
  });
}

/** The step that the stored object is at: the last acknowledged, or the one that was under way. */
function survivedStep(store: Store, worker: number, acknowledged: number, round: number): number {
  const object = store.get("/configmaps", NAMESPACE, `w${worker}`)?.object;
  const at = object === undefined ? undefined : Number((object.data as { step: string }).step);
  const possible = [acknowledged, acknowledged + 1].filter((step) => (isAbsent(step) ? at === undefined : at === step));
  if (possible.length !== 1)
    throw new Error(`round ${round}: w${worker} was acknowledged at step ${acknowledged} and is ${at === undefined ? "absent" : `at ${at}`}`);
  return possible[0] as number;
}

/** A watch from an acknowledged revision brings newer changes, or says that the client must list again. */
async function checkWatch(store: Store, from: number): Promise<void> {
  const api = await startTestServer({ store });
  try {
    const gone = new AbortController();
    const response = await api.server.transport("watcher")(`/api/v1/namespaces/${NAMESPACE}/configmaps?watch=true&resourceVersion=${from}`, {
      signal: gone.signal,
    });
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    const first = await reader?.read();
    gone.abort();
    const event = JSON.parse(new TextDecoder().decode(first?.value).split("\n")[0] ?? "") as {
      type: string;
      object: { code?: number; metadata?: { resourceVersion?: string } };
    };
    if (event.type === "ERROR") expect(event.object.code).toBe(410);
    else expect(Number(event.object.metadata?.resourceVersion)).toBeGreaterThan(from);
  } finally {
    await api.server.close();
  }
}
