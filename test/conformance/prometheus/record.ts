/**
 * Records what a real Prometheus answers to all questions of test/golden/promql. `bun test/conformance/prometheus/record.ts`
 * where `prometheus` 2.42 is on the path; needed when a question or the samples change.
 */
import { gzipSync } from "bun";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { questions } from "../../golden/promql/queries.ts";
import { STEP_MS, recordedSeries } from "../../golden/promql/world.ts";
import { ask } from "./answers.ts";
import { findPrometheus, startPrometheus } from "./program.ts";
import { remoteWrite } from "./remote-write.ts";

process.env.CHAINMAIL_CONFORMANCE = "1";
const found = findPrometheus();
if (found.path === undefined) throw new Error(found.reason);
const prometheus = await startPrometheus(found.path, `global:\n  evaluation_interval: ${STEP_MS / 1000}s\n`, ["--web.enable-remote-write-receiver"]);
try {
  await remoteWrite(prometheus.url, recordedSeries());
  const answers = [];
  for (const question of questions()) answers.push({ ...question, answer: await ask(prometheus.url, question) });
  const file = join(import.meta.dir, "../../golden/promql/answers.json.gz");
  writeFileSync(file, gzipSync(JSON.stringify(answers)));
  console.log(`${answers.length} answers in ${file}`);
} finally {
  await prometheus.stop();
}
