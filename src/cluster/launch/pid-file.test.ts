import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { claimPidFile, identify, isAlive, readPidFile, writePidFile } from "./pid-file.ts";

const folder = mkdtempSync(`${tmpdir()}/pid-file-`);
afterAll(() => rmSync(folder, { recursive: true }));
const path = `${folder}/cluster.pid`;

describe("pid file", () => {
  test("names a live process, and only that very one", () => {
    const own = identify(process.pid);
    expect(own).toBeDefined();
    if (!own) return;
    writePidFile(path, own);
    expect(readPidFile(path)).toEqual(own);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // The same number, another start: the number has come round again.
    writePidFile(path, { pid: process.pid, startTime: "1" });
    expect(readPidFile(path)).toBeUndefined();
  });

  test.each(["", "123", "nonsense", "-1 5", "1 x"])("%p is no claim", (text) => {
    writeFileSync(path, text);
    expect(readPidFile(path)).toBeUndefined();
  });

  test("is claimed once; a stale one is replaced", () => {
    writeFileSync(path, "999999999 1\n");
    claimPidFile(path);
    expect(readFileSync(path, "utf8")).toStartWith(`${process.pid} `);
    expect(() => claimPidFile(path)).toThrow(`running already (process ${process.pid})`);
  });

  test("a process that has ended is not alive", async () => {
    const child = Bun.spawn(["sleep", "5"]);
    const identity = identify(child.pid);
    child.kill();
    await child.exited;
    expect(identity && isAlive(identity)).toBe(false);
  });
});
