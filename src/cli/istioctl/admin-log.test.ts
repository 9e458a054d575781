import { expect, test } from "bun:test";
import { changesOf } from "./admin-log.ts";

const none = { reset: false, logReset: false, stackTraceReset: false };

test("levels of single scopes, and everything as it was", () => {
  expect(changesOf({ ...none, level: "ads:debug,ca:none", stackTraceLevel: "ads:error" }, [])).toEqual([
    { name: "ads", output_level: "debug" },
    { name: "ca", output_level: "none" },
    { name: "ads", stack_trace_level: "error" },
  ]);
  const all = [{ name: "ads" }, { name: "ca" }];
  expect(changesOf({ ...none, reset: true }, all)).toEqual(all.map(({ name }) => ({ name, output_level: "info", stack_trace_level: "none" })));
  expect(changesOf({ ...none, stackTraceReset: true }, all)).toEqual(all.map(({ name }) => ({ name, stack_trace_level: "none" })));
  expect(changesOf(none, all)).toEqual([]);
});

test("what is no scope and level is refused", () => {
  for (const level of ["ads", "ads:loud", ":debug", "ads:debug:x"]) expect(() => changesOf({ ...none, level }, [])).toThrow("is no scope and level");
});
