import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DASHBOARD_COMMAND, STEPS, shortened } from "./steps.ts";

/** The workshop's own text, where it lies beside the checkout. */
const TEXT = join(import.meta.dir, "../../../shared/lab/securing-communication-within-istio.txt");

describe("lab steps", () => {
  test("are numbered as in the text", () => {
    expect(STEPS.map((step) => step.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16]);
  });

  test.if(existsSync(TEXT))("have the text's commands word for word", () => {
    const text = readFileSync(TEXT, "utf8");
    for (const step of STEPS) if (step.number !== 15) expect(text).toContain(step.command);
    expect(text).toContain(DASHBOARD_COMMAND);
  });

  test("only step 7 is shortened", () => {
    for (const step of STEPS) expect(shortened(step.command) === step.command).toBe(step.number !== 7);
  });

  test("step 5 passes only on a reset connection", () => {
    const step = STEPS.find((s) => s.number === 5)!;
    const reset = "curl: (56) Recv failure: Connection reset by peer\ncommand terminated with exit code 56\n";
    expect(step.problem({ stdout: "", stderr: reset, exitCode: 56 }, { permissiveDump: "" })).toBeUndefined();
    expect(step.problem({ stdout: '{"code": 200}', stderr: "", exitCode: 0 }, { permissiveDump: "" })).toContain("exit code 0");
  });

  test("step 16 compares with the dump from before STRICT", () => {
    const step = STEPS.find((s) => s.number === 16)!;
    const dump = (chains: string[]) =>
      JSON.stringify(
        {
          configs: [
            {
              dynamic_listeners: [
                {
                  name: "virtualInbound",
                  active_state: { listener: { filter_chains: chains.map((c) => ({ filter_chain_match: { transport_protocol: c } })) } },
                },
              ],
            },
          ],
        },
        null,
        1,
      );
    const before = dump(["raw_buffer", "tls"]);
    expect(step.problem({ stdout: dump(["tls"]), stderr: "", exitCode: 0 }, { permissiveDump: before })).toBeUndefined();
    expect(step.problem({ stdout: before, stderr: "", exitCode: 0 }, { permissiveDump: before })).toContain("not fewer");
  });
});
