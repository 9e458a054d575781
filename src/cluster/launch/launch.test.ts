import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { childrenOf } from "../runtime/index.ts";
import { clusterRunning, launchCluster, stopCluster } from "./launch.ts";
import { identify } from "./pid-file.ts";
import { probeMachine } from "./probe.ts";

// Root needs no user namespace, anybody else does; test/runtime runs the launcher both ways.
const rootless = process.getuid?.() !== 0;
const report = await probeMachine({ rootless });
const folder = mkdtempSync(`${tmpdir()}/launch-`);
afterAll(() => rmSync(folder, { recursive: true }));

let runs = 0;
function options(script: string) {
  const run = `${folder}/${++runs}`;
  return { argv: ["/bin/sh", "-c", script], env: { PATH: "/usr/bin:/bin", MARK: run }, logPath: `${run}/log`, pidPath: `${run}/state/pid`, rootless };
}
const log = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000 && !condition(); tries++) await Bun.sleep(10);
  expect(condition()).toBe(true);
}

describe.skipIf(!report.ok)("launcher", () => {
  test("starts a tree of its own, detached, and stops it gracefully", async () => {
    const cluster = options("trap 'echo ended; exit 0' TERM; echo up $$; (sleep 0.05 &); while :; do sleep 0.02; done");
    const { pid } = await launchCluster(cluster);
    expect(clusterRunning(cluster)).toEqual({ pid });
    await until(() => log(cluster.logPath).includes("up 2"));
    // A session of its own: sixth field of stat.
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[5]).toBe(String(pid));
    expect(statSync(cluster.logPath).mode & 0o777).toBe(0o600);
    await expect(launchCluster(cluster)).rejects.toThrow(`running already (process ${pid})`);
    expect(await stopCluster(cluster)).toBe("stopped");
    expect(log(cluster.logPath)).toContain("ended");
    expect([existsSync(`/proc/${pid}`), existsSync(cluster.pidPath), clusterRunning(cluster)]).toEqual([false, false, undefined]);
    expect(await stopCluster(cluster)).toBe("not-running");
  });

  test("what does not end by itself is killed, with all its descendants", async () => {
    const cluster = options("trap '' TERM; setsid sleep 97 & sleep 97");
    const { pid } = await launchCluster(cluster);
    const init = childrenOf(pid)[0] ?? 0;
    await until(() => childrenOf(init).length > 0);
    const main = childrenOf(init)[0] ?? 0;
    await until(() => childrenOf(main).length === 2);
    const sleepers = childrenOf(main);
    expect(await stopCluster({ ...cluster, graceMs: 50 })).toBe("killed");
    await until(() => [pid, init, main, ...sleepers].every((each) => !identify(each)));
  });

  test("a SIGKILL of the outer process ends the tree, and the file it leaves is stale", async () => {
    const cluster = options("sleep 98 & sleep 98");
    const { pid } = await launchCluster(cluster);
    const init = childrenOf(pid)[0] ?? 0;
    process.kill(pid, "SIGKILL");
    await until(() => !identify(init));
    expect(existsSync(cluster.pidPath)).toBe(true);
    expect(clusterRunning(cluster)).toBeUndefined();
    await launchCluster(cluster);
    expect(clusterRunning(cluster)).toBeDefined();
    await stopCluster({ ...cluster, graceMs: 20 });
  });

  test("PID 1 reaps orphans, and ends with its main process", async () => {
    const cluster = options("(sh -c 'sleep 0.02' &); sleep 0.15; ps -e -o stat= | grep -c Z; exit 3");
    await launchCluster(cluster);
    await until(() => clusterRunning(cluster) === undefined);
    expect(log(cluster.logPath).trim()).toBe("0");
  });

  test("a tree that cannot start says why and leaves nothing", async () => {
    const cluster = { ...options(""), argv: ["/nosuch/program"] };
    const error = await launchCluster(cluster).then(
      () => until(() => clusterRunning(cluster) === undefined),
      (thrown: Error) => thrown,
    );
    // The shell may have been seen alive for a moment: then the log alone tells.
    if (error instanceof Error) expect(error.message).toContain("not found");
    expect(log(cluster.logPath)).toContain("/nosuch/program");
    expect(clusterRunning(cluster)).toBeUndefined();
  });

  test("another process under the number in the file is not the cluster", async () => {
    const cluster = options("");
    await Bun.write(cluster.pidPath, "");
    writeFileSync(cluster.pidPath, `${process.pid} 12345\n`);
    expect(clusterRunning(cluster)).toBeUndefined();
    expect(await stopCluster(cluster)).toBe("not-running");
  });
});

test("the probe tells all checks of this machine", () => {
  const failed = report.checks.filter((check) => !check.ok);
  for (const check of failed) expect(check.hint).toBeTruthy();
  if (!report.ok) console.log(`SKIPPED the launcher's tests: ${JSON.stringify(failed)}`);
  else
    expect(report.checks.map(({ name }) => name)).toEqual([
      "linux",
      "util-linux",
      "libnftables",
      "process tree",
      "mounts",
      "network namespace",
      "veth",
      "traffic rules",
      "socket mark",
    ]);
});
