import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = dirname(dirname(import.meta.dir));
const SOURCE = join(ROOT, "src");

/** Which rooms a room may import, as ARCHITECTURE.md draws it. Every room may import base and itself. */
const MAY_IMPORT: Record<string, string[]> = {
  base: [],
  proto: [],
  resources: [],
  pki: [],
  linux: [],
  kube: ["resources"],
  cluster: ["resources", "pki", "kube", "linux"],
  controlplane: ["resources", "pki", "kube", "proto"],
  proxy: ["proto", "pki", "linux"],
  agent: ["proto", "pki", "proxy", "linux"],
  telemetry: ["resources", "kube", "proto"],
  console: ["resources", "kube", "telemetry"],
  samples: ["proto"],
  lab: ["kube", "pki"],
  cli: ["base", "proto", "resources", "pki", "kube", "linux", "cluster", "controlplane", "proxy", "agent", "telemetry", "console", "samples", "lab"],
};

/** A file holds one idea; beyond this it holds several. */
const LONGEST_FILE = 500;

const files = [...new Glob("**/*.{ts,tsx}").scanSync(SOURCE)].filter((file) => !file.startsWith("proto/gen/")).sort();

describe("rooms", () => {
  test("each folder below src is a room that the table knows", () => {
    const rooms = new Set(files.map((file) => file.split("/")[0]));
    expect([...rooms].filter((room) => !(room! in MAY_IMPORT))).toEqual([]);
  });

  test("imports follow the arrows", async () => {
    const wrong: string[] = [];
    for (const file of files) {
      const room = file.split("/")[0]!;
      for (const imported of await importsOf(file)) {
        const target = relative(SOURCE, resolve(SOURCE, dirname(file), imported));
        const targetRoom = target.split("/")[0]!;
        // Recordings of real programs lie beside the end-to-end tests: only tests read them.
        if (target.startsWith("../test/golden/") && file.includes(".test.")) continue;
        if (target.startsWith("..")) wrong.push(`${file} imports ${imported}, outside src`);
        else if (targetRoom !== room && targetRoom !== "base" && !MAY_IMPORT[room]?.includes(targetRoom)) wrong.push(`${file} imports ${imported}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("each room's index says in its first lines what the room is for", async () => {
    const wrong: string[] = [];
    for (const room of Object.keys(MAY_IMPORT)) {
      if (room === "cli" || room === "samples" || room === "cluster") continue;
      const index = Bun.file(join(SOURCE, room, "index.ts"));
      if (!(await index.exists()) || !(await index.text()).startsWith("/**")) wrong.push(room);
    }
    expect(wrong).toEqual([]);
  });

  test("no file is longer than one idea", async () => {
    const long: string[] = [];
    for (const file of files) {
      const lines = (await Bun.file(join(SOURCE, file)).text()).split("\n").length;
      if (lines > LONGEST_FILE + 1) long.push(`${file}: ${lines}`);
    }
    expect(long).toEqual([]);
  });
});

/** Relative imports of a file, static and dynamic, types included: an arrow is an arrow. */
async function importsOf(file: string): Promise<string[]> {
  const text = await Bun.file(join(SOURCE, file)).text();
  return [...text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)].map((match) => match[1]!);
}
