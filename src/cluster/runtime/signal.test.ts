import { expect, test } from "bun:test";
import { signalUnlessGone } from "./signal.ts";

test("a process that has ended is no error; one that is there gets the signal; what is no signal is told", async () => {
  const child = Bun.spawn(["sleep", "30"]);
  signalUnlessGone(child.pid, "SIGTERM");
  await child.exited;
  expect(child.signalCode).toBe("SIGTERM");
  expect(() => signalUnlessGone(child.pid, "SIGKILL")).not.toThrow();
  expect(() => signalUnlessGone(process.pid, "SIGNONE" as NodeJS.Signals)).toThrow();
});
