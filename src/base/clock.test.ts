import { expect, test } from "bun:test";
import { FakeClock, systemClock } from "./clock.ts";

test("a timer of a year does not fire at once", async () => {
  let fired = false;
  const cancel = systemClock.after(365 * 86_400_000, () => (fired = true));
  await Bun.sleep(5);
  cancel();
  expect(fired).toBe(false);
});

test("a fake clock fires what falls due, in order, and nothing that was cancelled", () => {
  const clock = new FakeClock(100);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b@${clock.now()}`));
  clock.after(10, () => {
    seen.push(`a@${clock.now()}`);
    clock.after(5, () => seen.push(`a2@${clock.now()}`));
  });
  clock.after(12, () => seen.push("never"))();
  clock.advance(30);
  expect(seen).toEqual(["a@110", "a2@115", "b@120"]);
  expect(clock.now()).toBe(130);
});
