import { expect, test } from "bun:test";
import { parseExposition, parseLabels } from "./text-format.ts";

test("samples, types and escapes of an exposition", () => {
  const samples: unknown[] = [];
  const types = parseExposition('# HELP a x\n# TYPE a counter\na{x="1",y="}\\"\\n"} 3 1700000000\nb 4.5e1\nc{} +Inf\nbad\n\nd{z="é"} NaN', {
    sample: (sample) => samples.push(sample),
  });
  expect(types.get("a")).toBe("counter");
  expect(samples).toEqual([
    { name: "a", labels: 'x="1",y="}\\"\\n"', text: 'a{x="1",y="}\\"\\n"}', value: 3, time: 1_700_000_000 },
    { name: "b", labels: "", text: "b", value: 45 },
    { name: "c", labels: "", text: "c{}", value: Infinity },
    { name: "d", labels: 'z="é"', text: 'd{z="é"}', value: NaN },
  ]);
  expect(parseLabels('x="1",y="}\\"\\n"')).toEqual({ x: "1", y: '}"\n' });
});

test("what is expected next is not read again, only its value", () => {
  const expected = ['a{x="1"}', "b"];
  const seen: unknown[] = [];
  let next = 0;
  parseExposition('a{x="1"} 1\nnew 2\nb 3 17\nb2 4\n', {
    expected: (text, start) =>
      expected[next] && text.startsWith(expected[next]!, start) && text[start + expected[next]!.length] === " " ? expected[next]!.length : 0,
    expectedSample: (value, time) => seen.push([expected[next++], value, time]),
    sample: ({ text, value }) => seen.push([text, value]),
  });
  expect(seen).toEqual([
    ['a{x="1"}', 1, undefined],
    ["new", 2],
    ["b", 3, 17],
    ["b2", 4],
  ]);
});
