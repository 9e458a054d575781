import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "chainmail-flush-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of a process that may not be traced nothing can be said. */
const CAN_TRACE = Bun.which("strace") !== null && Bun.spawnSync(["strace", "-f", "-o", "/dev/null", "true"], { stdout: "ignore", stderr: "ignore" }).success;
const WRITES = 40;

test.skipIf(!CAN_TRACE)(
  "an acknowledgement leaves the process only after the log has been flushed to the disk, as the kernel saw it",
  async () => {
    const trace = join(folder, "trace");
    const writer = join(import.meta.dir, "../../src/cluster/store/testdata/writer.ts");
    const command = [
      "strace",
      "-f",
      "-y",
      "-s",
      "40",
      "-e",
      "trace=write,pwrite64,fdatasync,fsync",
      "-o",
      trace,
      process.execPath,
      writer,
      join(folder, "state.db"),
    ];
    const child = Bun.spawn(command, { stdout: "pipe", stderr: "ignore" });
    let seen = "";
    for await (const chunk of child.stdout) {
      seen += Buffer.from(chunk).toString();
      if (seen.split("\n").length > WRITES) break;
    }
    child.kill("SIGTERM");
    await child.exited;
    expect(verdicts(readFileSync(trace, "utf8").split("\n")).slice(0, WRITES)).toEqual(Array<string>(WRITES).fill("flushed"));
  },
  60_000,
);

/** Of each acknowledgement, whether all that was written to the log before it had been flushed. */
function verdicts(calls: readonly string[]): string[] {
  const found: string[] = [];
  /** Threads whose flush was interrupted by another's call in the trace: its end is a line of its own. */
  const flushing = new Set<string>();
  let written = 0;
  let flushed = 0;
  for (const line of calls) {
    const [thread = "", call = ""] = line.split(/ +(.*)/s);
    if (/^pwrite64\(\d+<[^>]*state\.db-wal>/.test(call)) written++;
    else if (/^f(data)?sync\(\d+<[^>]*state\.db-wal>/.test(call)) {
      if (call.endsWith("<unfinished ...>")) flushing.add(thread);
      else if (call.endsWith(" = 0")) flushed = written;
    } else if (/^<\.\.\. f(data)?sync resumed>.* = 0$/.test(call) && flushing.delete(thread)) flushed = written;
    else if (/^write\(1<[^>]*>, "p/.test(call)) found.push(written > 0 && flushed === written ? "flushed" : "not flushed");
  }
  return found;
}
