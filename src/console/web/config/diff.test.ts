import { expect, test } from "bun:test";
import { diffLines } from "./diff.ts";

const marks = (before: string, after: string) => diffLines(before, after).map(({ kind, text }) => `${{ same: " ", added: "+", removed: "-" }[kind]}${text}`);

test("lines that stay, go and come", () => {
  expect(marks("a\nb\nc\n", "a\nx\nc\nd\n")).toEqual([" a", "-b", "+x", " c", "+d"]);
  expect(marks("", "a\n")).toEqual(["+a"]);
  expect(marks("a\n", "")).toEqual(["-a"]);
  expect(marks("a\nb\n", "a\nb\n")).toEqual([" a", " b"]);
});

test("applied to the first text it makes the second", () => {
  const random = (seed: number) => () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let seed = 1; seed < 60; seed++) {
    const next = random(seed);
    const text = () => Array.from({ length: Math.floor(next() * 12) }, () => `${"abcd"[Math.floor(next() * 4)]}\n`).join("");
    const [before, after] = [text(), text()];
    const lines = diffLines(before, after);
    const side = (without: string) =>
      lines
        .filter(({ kind }) => kind !== without)
        .map(({ text: line }) => `${line}\n`)
        .join("");
    expect([seed, side("added"), side("removed")]).toEqual([seed, before, after]);
  }
});
