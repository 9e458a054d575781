import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCgroups } from "./cgroups.ts";
import { parseHierarchies } from "./hierarchies.ts";
import { legacySettings, unifiedSettings } from "./settings.ts";

const root = mkdtempSync(join(tmpdir(), "chainmail-cgroups-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("hierarchies: version 2 alone, both, and a mount that shows a part", () => {
  expect(parseHierarchies("30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n", "0::/user.slice/user-1000.slice/session-1.scope\n")).toEqual({
    unified: { top: "/sys/fs/cgroup", own: "/sys/fs/cgroup/user.slice/user-1000.slice/session-1.scope" },
    legacy: {},
  });
  const both = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`;
  expect(parseHierarchies(both, "4:memory:/jobs/7\n1:cpu,cpuacct:/\n9:name=systemd:/\n0::/\n")).toEqual({
    unified: { top: "/sys/fs/cgroup/unified", own: "/sys/fs/cgroup/unified" },
    legacy: { cpu: "/sys/fs/cgroup/cpu,cpuacct", memory: "/sys/fs/cgroup/memory/jobs/7" },
  });
  expect(parseHierarchies("35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", "4:memory:/docker/abc\n").legacy).toEqual({
    memory: "/sys/fs/cgroup/memory",
  });
  expect(parseHierarchies("1 1 0:1 / / rw - overlay overlay rw\n", "")).toEqual({ legacy: {} });
});

test("limits in the kernel's terms", () => {
  const limits = { memory: 64 * 1024 * 1024, cpus: 0.25, cpuRequest: 0.1 };
  expect(unifiedSettings("memory", limits).map(({ file, value }) => `${file} ${value}`)).toEqual([
    "memory.max 67108864",
    "memory.swap.max 0",
    "memory.oom.group 1",
  ]);
  expect(unifiedSettings("cpu", limits).map(({ file, value }) => `${file} ${value}`)).toEqual(["cpu.max 25000 100000", "cpu.weight 4"]);
  expect(legacySettings("cpu", limits).map(({ file, value }) => `${file} ${value}`)).toEqual([
    "cpu.cfs_period_us 100000",
    "cpu.cfs_quota_us 25000",
    "cpu.shares 102",
  ]);
  expect(legacySettings("memory", limits).map(({ value }) => value)).toEqual(["67108864", "67108864"]);
  expect(unifiedSettings("memory", { cpus: 1 })).toEqual([]);
  expect(unifiedSettings("cpu", { cpus: 0.001 })[0]?.value).toBe("1000 100000");
  expect(unifiedSettings("pids", {})[0]?.value).toBe("4096");
});

// A plain folder stands for version 1's hierarchies: all that the kernel would add are files of its own.
test("a container's groups are made with its limits, tell of a kill, and go", async () => {
  const memory = join(root, "memory");
  mkdirSync(join(memory, "mesh/left-over"), { recursive: true });
  const cgroups = openCgroups("mesh", { legacy: { memory } });
  expect(existsSync(join(memory, "mesh/left-over"))).toBe(false);
  expect([cgroups.enforces("memory"), cgroups.enforces("cpu")]).toEqual([true, false]);
  const group = cgroups.create("uid/app/0", { memory: 1024 });
  const folder = join(memory, "mesh/uid_app_0");
  expect(group.procs).toEqual([join(folder, "cgroup.procs")]);
  expect(readFileSync(join(folder, "memory.limit_in_bytes"), "utf8")).toBe("1024");
  expect(group.outOfMemory()).toBe(false);
  writeFileSync(join(folder, "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  expect(group.outOfMemory()).toBe(true);
  for (const file of ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control"]) rmSync(join(folder, file), { force: true });
  await group.remove();
  cgroups.close();
  expect(existsSync(join(memory, "mesh"))).toBe(false);
});

test("nothing is enforced where nothing may be made", () => {
  writeFileSync(join(root, "no-folder"), "");
  const cgroups = openCgroups("mesh", { unified: { top: join(root, "no-folder"), own: join(root, "no-folder") }, legacy: { memory: join(root, "no-folder") } });
  expect(cgroups.enforces("memory")).toBe(false);
  expect(cgroups.create("a", { memory: 1 }).procs).toEqual([]);
});
