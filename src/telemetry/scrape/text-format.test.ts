import { expect, test } from "bun:test";
import { parseExposition, parseLabels } from "./text-format.ts";

test("samples, types and escapes of an exposition", () => {
  const samples: unknown[] = [];
  const types = parseExposition(
    '# HELP a x\n# TYPE a counter\na{x="1",y="}\\"\\n"} 3 1700000000\nb 4.5e1\nc{} +Inf\nbad\n\nd{z="é"} NaN',
    (sample) => samples.push(sample),
  );
  expect(types.get("a")).toBe("counter");
  expect(samples).toEqual([
    { name: "a", labels: 'x="1",y="}\\"\\n"', value: 3, time: 1_700_000_000 },
    { name: "b", labels: "", value: 45 },
    { name: "c", labels: "", value: Infinity },
    { name: "d", labels: 'z="é"', value: NaN },
  ]);
  expect(parseLabels('x="1",y="}\\"\\n"')).toEqual({ x: "1", y: '}"\n' });
});
