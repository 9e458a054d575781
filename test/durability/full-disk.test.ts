import { expect, test } from "bun:test";
import { join } from "node:path";

/** Holds the database, its log, and some hundred objects. */
const DISK = "10m";
const asRoot = process.getuid?.() === 0;
/** A mount of its own, that goes with the process. */
const UNSHARE = ["unshare", ...(asRoot ? [] : ["--user", "--map-root-user"]), "--mount", "--propagation", "private"];
const HAS_NAMESPACES = Bun.spawnSync([...UNSHARE, "true"], { stdout: "ignore", stderr: "ignore" }).success;

test.skipIf(!HAS_NAMESPACES)(
  "a full disk refuses writes with a Status of its own, keeps what was acknowledged, and serves reads; room makes it write again",
  async () => {
    const server = join(import.meta.dir, "full-disk-server.ts");
    const script = 'mount -t tmpfs -o size="$1" none /mnt && "$2" "$3" fill /mnt; "$2" "$3" after /mnt';
    const child = Bun.spawn([...UNSHARE, "sh", "-c", script, "full-disk", DISK, process.execPath, server], { stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    const [full, after] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line || "{}") as Record<string, unknown>);
    if (!full || !after) throw new Error(`the servers said: ${out}${err}`);
    expect(full.acknowledged).toBeGreaterThan(50);
    expect(full).toMatchObject({
      refusal: {
        status: 507,
        body: {
          kind: "Status",
          status: "Failure",
          reason: "InsufficientStorage",
          code: 507,
          message: expect.stringContaining("the cluster's database cannot be written: database or disk is full"),
        },
      },
      read: { status: 200, length: 40_000 },
      listed: full.acknowledged,
      readyz: 500,
      healthz: expect.any(Number),
    });
    expect(after).toEqual({ acknowledged: full.acknowledged, survived: full.acknowledged, again: 201, readyz: 200 });
  },
  60_000,
);
