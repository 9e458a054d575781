import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { FakeClock } from "../../../base/index.ts";
import { NodeHarness } from "../testing/harness.ts";
import { CriLogReader } from "./cri-log.ts";
import { logStream, type LogStreamOptions } from "./log-stream.ts";
import { MAX_LOG_BYTES, rotateLog, rotatedPath } from "./rotation.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chainmail-logs-"));
  path = join(folder, "0.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (text: string, second = 0, tag = "F") => `2026-11-24T08:00:0${second}.000000000Z stdout ${tag} ${text}\n`;
const read = async (options: Partial<LogStreamOptions> = {}) =>
  new Response(logStream({ clock: new FakeClock(), path, rotatedPath: rotatedPath(path), timestamps: false, ...options })).text();

test("prefixes go, parts are joined, times come back on request", async () => {
  writeFileSync(path, line("one") + line("long ", 1, "P") + line("line", 1) + "damaged\n" + line("") + line("cut off").slice(0, -1));
  expect(await read()).toBe("one\nlong line\n\n");
  expect(await read({ timestamps: true })).toBe(
    "2026-11-24T08:00:00.000000000Z one\n2026-11-24T08:00:01.000000000Z long line\n2026-11-24T08:00:00.000000000Z \n",
  );
});

test("since, limit and tail", async () => {
  writeFileSync(path, [0, 1, 2, 3].map((n) => line(`line ${n}`, n)).join(""));
  expect(await read({ since: Date.parse("2026-11-24T08:00:02Z") })).toBe("line 2\nline 3\n");
  expect(await read({ limitBytes: 9 })).toBe("line 0\nli");
  expect(await read({ tailLines: 2 })).toBe("line 2\nline 3\n");
  expect(await read({ tailLines: 0 })).toBe("");
  expect(await read({ tailLines: 99 })).toBe("line 0\nline 1\nline 2\nline 3\n");
});

test("tail over a rotated log and over many blocks", async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `entry ${i} ${"x".repeat(i % 97)}`);
  writeFileSync(
    rotatedPath(path),
    lines
      .slice(0, 4000)
      .map((l) => line(l))
      .join(""),
  );
  writeFileSync(
    path,
    lines
      .slice(4000)
      .map((l) => line(l))
      .join(""),
  );
  for (const count of [1, 999, 1000, 1001, 3000, 5000]) expect((await read({ tailLines: count })).split("\n").slice(0, -1)).toEqual(lines.slice(-count));
  expect((await read()).split("\n")).toHaveLength(5001);
});

test("however the bytes are cut, the text is the same", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.string({ maxLength: 20 }).filter((s) => !s.includes("\n")),
          fc.boolean(),
        ),
        { maxLength: 8 },
      ),
      fc.integer({ min: 1, max: 17 }),
      (lines, size) => {
        const bytes = Buffer.from(lines.map(([text, whole]) => line(text, 0, whole ? "F" : "P")).join(""));
        const reader = new CriLogReader({ timestamps: false });
        let out = "";
        for (let at = 0; at < bytes.length; at += size) out += Buffer.from(reader.feed(bytes.subarray(at, at + size))).toString("latin1");
        expect(out).toBe(Buffer.from(lines.map(([text, whole]) => text + (whole ? "\n" : "")).join("")).toString("latin1"));
      },
    ),
  );
});

test("following sees new lines, goes on after a rotation, and ends with the container", async () => {
  writeFileSync(path, line("before"));
  const clock = new FakeClock();
  let running = true;
  const reader = logStream({ clock, path, rotatedPath: rotatedPath(path), timestamps: false, follow: { finished: () => !running } }).getReader();
  const next = async () => {
    const reading = reader.read();
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    const { value, done } = await reading;
    return done ? undefined : Buffer.from(value).toString();
  };
  expect(await next()).toBe("before\n");
  appendFileSync(path, line("more"));
  expect(await next()).toBe("more\n");
  appendFileSync(path, line("last of the old"));
  renameSync(path, rotatedPath(path));
  writeFileSync(path, line("first of the new"));
  expect(await next()).toBe("last of the old\n");
  expect(await next()).toBe("first of the new\n");
  appendFileSync(path, line("bye"));
  running = false;
  expect(await next()).toBe("bye\n");
  expect(await next()).toBeUndefined();
});

test("a log is rotated at its size, and only where the runtime can go on in a new file", () => {
  writeFileSync(path, "");
  const container = { id: "c", pid: 1, exited: new Promise<never>(() => {}), kill() {} };
  let reopened = 0;
  const able = { ...container, reopenLog: () => void reopened++ };
  expect(rotateLog(path, able)).toBe(false);
  writeFileSync(path, Buffer.alloc(MAX_LOG_BYTES));
  expect(rotateLog(path, container)).toBe(false);
  expect(rotateLog(path, able)).toBe(true);
  expect(reopened).toBe(1);
});

test("the node serves logs of the current and the previous attempt, and says why there are none", async () => {
  const node = await new NodeHarness().start();
  try {
    await node.createPod({});
    node.runtime.log("app", "first life", node.clock.now());
    const all = { follow: false, previous: false, timestamps: false };
    const logs = async (options = all, container = "app", pod = "web") =>
      new Response(await node.agent.streams.logs("default", pod, container, options)).text();
    expect(await logs()).toBe("first life\n");
    await expect(logs({ ...all, previous: true })).rejects.toThrow('previous terminated container "app" in pod "web" not found');
    node.runtime.container("app").exit(1);
    await node.settle();
    node.runtime.log("app", "second life", node.clock.now());
    expect(await logs()).toBe("second life\n");
    expect(await logs({ ...all, previous: true })).toBe("first life\n");
    await expect(logs(all, "nocont")).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND", message: "container nocont is not valid for pod web" });
    await expect(logs(all, "app", "nopod")).rejects.toMatchObject({ code: "POD_NOT_FOUND" });
    await node.createPod({ containers: [{ name: "app", image: "unknown/image" }] }, { name: "stuck" });
    await expect(logs(all, "app", "stuck")).rejects.toMatchObject({
      code: "CONTAINER_NOT_RUNNING",
      message: expect.stringContaining("is waiting to start: trying and failing to pull image"),
    });
    await expect(node.agent.streams.exec("default", "stuck", "app", { command: ["ls"], stdin: false, tty: false })).rejects.toMatchObject({
      code: "CONTAINER_NOT_RUNNING",
    });
    await expect(node.agent.streams.portForward("default", "web", 1)).rejects.toMatchObject({ code: "PORT_UNREACHABLE" });
  } finally {
    node.stop();
  }
});
