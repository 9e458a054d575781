import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HAS_CLUSTER, ROOT } from "./shell.ts";

describe.if(HAS_CLUSTER)("chainmail up", () => {
  test("with the API's port taken: one message with a way out, and nothing started", async () => {
    const home = mkdtempSync(join(tmpdir(), "chainmail-errors-"));
    const taken = Bun.listen({ hostname: "127.77.1.1", port: 0, socket: { data() {} } });
    try {
      const child = Bun.spawn([join(ROOT, "bin/chainmail"), "up", "--name", "taken", "--port", String(taken.port)], {
        env: { ...process.env, CHAINMAIL_HOME: home },
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
      expect(code).toBe(1);
      expect(stderr).toContain(`port 127.77.1.1:${taken.port} is taken`);
      expect(stderr).toMatch(/^Try: {3}chainmail up --name taken --port \d+/m);
      const status = Bun.spawnSync([join(ROOT, "bin/chainmail"), "status", "--name", "taken"], { env: { ...process.env, CHAINMAIL_HOME: home } });
      expect(status.stdout.toString()).toContain("stopped");
    } finally {
      taken.stop(true);
      rmSync(home, { recursive: true, force: true });
    }
  }, 30_000);
});
