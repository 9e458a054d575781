/** What the real server answered, kept for tests without it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Recording } from "./types.ts";

const FILE = join(import.meta.dir, "../../golden/kubernetes/answers.json.gz");

export function readRecording(): Recording {
  return JSON.parse(Buffer.from(Bun.gunzipSync(new Uint8Array(readFileSync(FILE)))).toString("utf8")) as Recording;
}

export function writeRecording(recording: Recording): void {
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, Bun.gzipSync(Buffer.from(JSON.stringify(recording)), { level: 9 }));
}
