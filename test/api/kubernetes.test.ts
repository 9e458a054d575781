import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { differences } from "../conformance/kubernetes/compare.ts";
import { KNOWN_DIFFERENCES } from "../conformance/kubernetes/known-differences.ts";
import { startOurs } from "../conformance/kubernetes/ours.ts";
import { readRecording } from "../conformance/kubernetes/recording.ts";
import { runScript } from "../conformance/kubernetes/run.ts";
import { scripts } from "../conformance/kubernetes/scripts/index.ts";

/** What a real kube-apiserver answered; `npm run conformance:kubernetes -- --record` asks it anew. */
const recording = readRecording();

let ours: Awaited<ReturnType<typeof startOurs>>;
beforeAll(async () => {
  ours = await startOurs();
});
afterAll(() => ours.close());

describe("requests are answered as a real kube-apiserver answers them", () => {
  for (const script of scripts) {
    const theirs = recording[script.name];
    test(script.name, async () => {
      if (!theirs) throw new Error("nothing is recorded of it: run npm run conformance:kubernetes -- --record");
      const answers = await runScript(ours.target, script, theirs);
      for (const [title, answer] of Object.entries(theirs)) {
        if (KNOWN_DIFFERENCES.has(`${script.name}: ${title}`)) continue;
        expect({ title, differences: differences(answer, answers[title] ?? { status: 0, headers: {} }) }).toEqual({ title, differences: [] });
      }
    });
  }
});
