import { expect, test } from "bun:test";
import { Progress } from "./progress.ts";

function shown(terminal: boolean, width: number, tell: (progress: Progress) => void): string {
  let text = "";
  tell(new Progress({ terminal, width, write: (part) => void (text += part) }));
  return text;
}

const story = (progress: Progress): void => {
  progress.start("Base");
  progress.finish("Base");
  progress.start("Pilot");
  progress.waiting("Pilot", ["Deployment/istio-system/istiod"]);
  progress.waiting("Pilot", ["Deployment/istio-system/istiod"]);
  progress.fail("Pilot", "no room");
  progress.complete("Done");
};

test("a pipe gets a line a change, and none twice", () => {
  expect(shown(false, 100, story)).toBe(
    "\n- Processing resources for Istio core.\n✔ Istio core installed ⛵️\n- Processing resources for Istiod.\n- Processing resources for Istiod. Waiting for Deployment/istio-system/istiod\n✘ Istiod encountered an error: no room\n✔ Done\n",
  );
});

test("a terminal's line is written over, and never longer than the terminal is wide", () => {
  const text = shown(true, 40, story);
  expect(text).toContain("\r\u001b[K\u001b[32m✔\u001b[0m Istio core installed ⛵️\n");
  expect(text).toContain("\r\u001b[K\u001b[33m-\u001b[0m Processing resources for Istiod. Wa...");
  const first = text.split("\r").find((line) => line.includes("Wa...")) ?? "";
  expect(Bun.stripANSI(first)).toHaveLength(40);
});
