/**
 * An API server on a disk that gets full: `fill` writes until it is refused, says what then works, and is killed;
 * `after` starts on what is left, reads, and writes once there is room. Each prints one line of JSON.
 */
import { readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { startTestServer } from "../../src/cluster/apiserver/testing.ts";
import { Store } from "../../src/cluster/store/index.ts";

const [phase, disk = ""] = process.argv.slice(2);
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
/** Room that is given back at the end. */
const BALLAST = join(disk, "ballast");
const BALLAST_BYTES = 2 << 20;
const ACKNOWLEDGED = join(disk, "acknowledged");
/** Objects of which a few hundred fill the disk. */
const TEXT = "x".repeat(40_000);
/** Far more than fit. */
const MAX_WRITES = 2_000;

if (phase === "fill") {
  writeFileSync(BALLAST, new Uint8Array(BALLAST_BYTES));
  // Their own room is taken before the disk is full.
  writeFileSync(ACKNOWLEDGED, " ".repeat(4096));
}
const api = await startTestServer({ store: new Store({ path: join(disk, "state.db") }) });
const create = (name: string, text: string) =>
  api.call("POST", CONFIG_MAPS, { body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { text } } });
const names = async () =>
  ((await api.call("GET", CONFIG_MAPS)).body.items as { metadata: { name: string } }[])
    .map(({ metadata }) => metadata.name)
    .filter((name) => name.startsWith("n"));

if (phase === "fill") {
  let written = 0;
  let refusal;
  for (; written < MAX_WRITES && !refusal; written++) {
    const answer = await create(`n${written}`, TEXT);
    if (answer.status !== 201) refusal = { status: answer.status, body: answer.body };
  }
  const acknowledged = written - 1;
  writeFileSync(ACKNOWLEDGED, String(acknowledged), { flag: "r+" });
  const one = await api.call("GET", `${CONFIG_MAPS}/n0`);
  const readyz = await api.call("GET", "/readyz");
  const livez = await api.call("GET", "/healthz");
  writeSync(
    1,
    `${JSON.stringify({ acknowledged, refusal, read: { status: one.status, length: (one.body.data as { text: string }).text.length }, listed: (await names()).length, readyz: readyz.status, healthz: livez.status })}\n`,
  );
  process.kill(process.pid, "SIGKILL");
} else {
  const acknowledged = Number(readFileSync(ACKNOWLEDGED, "utf8"));
  const survived = (await names()).length;
  rmSync(BALLAST);
  const again = await create("once-there-is-room", TEXT);
  const readyz = await api.call("GET", "/readyz");
  writeSync(1, `${JSON.stringify({ acknowledged, survived, again: again.status, readyz: readyz.status })}\n`);
  await api.close();
}
