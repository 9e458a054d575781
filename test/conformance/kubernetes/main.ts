/**
 * `npm run conformance:kubernetes [-- --record|--known] [name…]`: the same requests at a real kube-apiserver and at ours.
 * `--known` shows the known differences too, and `--record` writes what the real one answered to test/golden/kubernetes, from where the plain tests compare.
 */
import { differences } from "./compare.ts";
import { BY_CHANCE, KNOWN_DIFFERENCES } from "./known-differences.ts";
import { oraclePrograms } from "./oracle-programs.ts";
import { startOracle } from "./oracle.ts";
import { startOurs } from "./ours.ts";
import { readRecording, writeRecording } from "./recording.ts";
import { runScript } from "./run.ts";
import { scripts } from "./scripts/index.ts";
import type { Recording } from "./types.ts";

const args = process.argv.slice(2);
const record = args.includes("--record");
const showKnown = args.includes("--known");
const names = args.filter((arg) => !arg.startsWith("--"));
const chosen = scripts.filter(({ name }) => names.length === 0 || names.some((wanted) => name.startsWith(wanted)));

const oracle = await startOracle(await oraclePrograms((line) => console.error(line)));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void oracle.stop().finally(() => process.exit(1)));
const ours = await startOurs();
const recording: Recording = record && names.length > 0 ? readRecording() : {};
const unused = new Set(names.length > 0 ? [] : [...KNOWN_DIFFERENCES.keys()].filter((key) => !BY_CHANCE.has(key)));
let compared = 0;
let same = 0;
let known = 0;
try {
  for (const script of chosen) {
    const theirs = await runScript(oracle.target, script);
    const answers = await runScript(ours.target, script, theirs);
    recording[script.name] = theirs;
    for (const [title, answer] of Object.entries(theirs)) {
      compared++;
      const lines = differences(answer, answers[title] ?? { status: 0, headers: {} });
      const key = `${script.name}: ${title}`;
      if (lines.length === 0) same++;
      else {
        const isKnown = KNOWN_DIFFERENCES.has(key);
        if (isKnown) known++;
        if (!isKnown || showKnown) console.log(`${isKnown ? "KNOWN" : "DIFFERS"} ${key}\n    ${lines.join("\n    ")}`);
      }
      if (lines.length > 0) unused.delete(key);
    }
  }
} finally {
  await ours.close();
  await oracle.stop();
}
for (const key of unused) console.log(`SAME NOW ${key}: take it from the list of known differences`);
if (record) writeRecording(recording);
console.log(`${compared} behaviours: ${same} the same, ${known} known differences, ${compared - same - known} differences`);
process.exit(compared === same + known && unused.size === 0 ? 0 : 1);
