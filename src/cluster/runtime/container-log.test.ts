import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { ContainerLog, LineSplitter } from "./container-log.ts";

const folder = mkdtempSync(`${tmpdir()}/container-log-`);
afterAll(() => rmSync(folder, { recursive: true }));
const now = () => Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const TIME = "2026-01-02T03:04:05.678000000Z";

function lines(...chunks: string[]): string {
  const splitter = new LineSplitter("stdout", now);
  const parts = chunks.map((chunk) => splitter.push(Buffer.from(chunk)));
  return Buffer.concat([...parts, splitter.end()]).toString();
}

describe("container log", () => {
  test("lines get time, stream and F, however the chunks fall", () => {
    expect(lines("one\ntw", "o\n", "\nlast")).toBe(`${TIME} stdout F one\n${TIME} stdout F two\n${TIME} stdout F \n${TIME} stdout F last\n`);
  });

  test("a line above 16 KiB is written in parts", () => {
    const text = lines("a".repeat(20_000), `${"b".repeat(20_000)}\n`);
    const parts = text
      .trimEnd()
      .split("\n")
      .map((line) => line.slice(TIME.length + 8));
    expect(parts.map((part) => [part[0], part.length - 2])).toEqual([
      ["P", 16384],
      ["P", 16384],
      ["F", 7232],
    ]);
    expect(parts.map((part) => part.slice(2)).join("")).toBe("a".repeat(20_000) + "b".repeat(20_000));
  });

  test("bytes that are no UTF-8 stay as they are", () => {
    const splitter = new LineSplitter("stderr", now);
    expect([...splitter.push(Uint8Array.of(0xff, 0xc3, 10)).subarray(-3)]).toEqual([0xff, 0xc3, 10]);
  });

  test("only the owner reads the file, and after a rename a new one is begun", () => {
    const path = `${folder}/pod/0.log`;
    const log = new ContainerLog(path, now);
    log.write("stdout", Buffer.from("before\n"));
    renameSync(path, `${path}.1`);
    log.reopen();
    log.write("stderr", Buffer.from("after"));
    log.close();
    expect(readFileSync(`${path}.1`, "utf8")).toBe(`${TIME} stdout F before\n`);
    expect(readFileSync(path, "utf8")).toBe(`${TIME} stderr F after\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});
