import { afterAll, describe, expect, test } from "bun:test";
import { accessSync, chownSync, constants, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { probeMachine } from "../../src/cluster/launch/index.ts";

// Pods on this machine for real: as root (when the tests run as root) and as an ordinary user. What is tested stands in
// in-tree.ts; here it is run inside the cluster's process tree, in a network namespace that stands for the host's.

const runner = fileURLToPath(new URL("./in-host.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;
/** nobody: an ordinary user that every machine has. */
const NOBODY = 65534;
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })), 60_000);

/** What in-host.ts is to run: the rest of a file's name, and how images' roots are to be had. */
const PARTS = [
  ["pods"],
  ["network policies", "policies"],
  ["images, changes on the disk", "images", "disk"],
  ["images, changes in memory", "images", "memory"],
  ["images, copied", "images", "copy"],
] as const;

/** Why a mode cannot be tested here; undefined when it can. Skips are told, never silent. */
async function obstacle(mode: "root" | "user"): Promise<string | undefined> {
  if (mode === "root" && !isRoot) return "the tests do not run as root";
  if (mode === "user" && isRoot && !isReadableByOthers(runner)) return "an ordinary user cannot read this folder";
  const report = await probeMachine({ rootless: mode === "user" });
  const failed = report.checks.find((check) => !check.ok);
  return failed && `${failed.name}: ${failed.detail}; ${failed.hint}`;
}

describe("pods as processes", () => {
  for (const mode of ["root", "user"] as const) {
    const as = mode === "root" ? "as root" : "as an ordinary user";
    for (const [title, ...more] of PARTS)
      test(`${as}: ${title}`, async () => {
        const why = await obstacle(mode);
        if (why !== undefined) return void console.log(`SKIPPED as ${mode}: ${why}`);
        const folder = mkdtempSync(`${tmpdir()}/chainmail-${mode}-`);
        folders.push(folder);
        const asUser = mode === "user" && isRoot ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];
        if (asUser.length > 0) chownSync(folder, NOBODY, NOBODY);
        const own = mode === "user" ? ["--user", "--map-root-user"] : [];
        const child = Bun.spawn([...asUser, "unshare", ...own, "--net", process.execPath, runner, `${folder}/state`, mode, ...more], {
          env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: folder },
          stdout: "pipe",
          stderr: "pipe",
        });
        const [output, errors, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
        if (code !== 0) console.log(output, errors);
        expect(code).toBe(0);
      }, 90_000);
  }
});

function isReadableByOthers(path: string): boolean {
  accessSync(path, constants.R_OK);
  for (let folder = dirname(path); folder !== "/"; folder = dirname(folder)) if ((statSync(folder).mode & 0o5) !== 0o5) return false;
  return true;
}
