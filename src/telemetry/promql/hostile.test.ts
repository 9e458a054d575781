import { expect, test } from "bun:test";
import { questions } from "../../../test/golden/promql/queries.ts";
import { ChainmailError } from "../../base/index.ts";
import { MetricStore } from "../store/metric-store.ts";
import { queryInstant } from "./evaluate.ts";

const store = new MetricStore({ retentionMs: 3_600_000, maxRunsPerSeries: 100, maxSeries: 100 });
for (const job of ["api", "web"]) for (let t = 0; t < 60; t++) store.series({ __name__: "up", job })!.series.append(t * 1_000, t, 1_000);
const ask = (query: string) => queryInstant(query, 59_000, { store, lookbackMs: 300_000, defaultStepMs: 1_000 });

const MUTATIONS = 1_000;
const PIECES = [
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  '"',
  "'",
  "`",
  "\\",
  "5m",
  ":",
  "offset",
  "@",
  "by",
  "up",
  "-",
  "1e999",
  "\u0000",
  "é",
  "😀",
  "on()",
  "group_left",
  "bool",
  ",",
  "=~",
  "__proto__",
  "constructor",
  "#",
];

test("whatever is asked, the answer is a value or an error that says what is wrong", () => {
  const seed = Number(process.env.CHAINMAIL_FUZZ_SEED ?? 1);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const all = questions()
    .map(({ query }) => query)
    .filter((query) => query.length < 200);
  for (let i = 0; i < MUTATIONS; i++) {
    let query = all[random(all.length)]!;
    for (let n = 1 + random(3); n > 0; n--) {
      const [from, length] = [random(query.length + 1), random(4)];
      query = query.slice(0, from) + (random(2) ? PIECES[random(PIECES.length)]! : "") + query.slice(from + length);
    }
    try {
      ask(query);
    } catch (thrown) {
      if (!(thrown instanceof ChainmailError)) throw new Error(`SEED=${seed}: ${JSON.stringify(query)}`, { cause: thrown });
    }
  }
});

test("what every object has is no label", () => {
  expect(ask("sum by (constructor, __proto__, toString) (up)")).toMatchObject({ samples: [{ labels: {}, value: 118 }] });
  expect(ask('up{constructor="",job="api"}')).toMatchObject({ samples: [{ value: 59 }] });
  expect(ask('label_replace(up{job="api"}, "x", "$1", "toString", "(.*)")')).toMatchObject({ samples: [{ labels: { __name__: "up", job: "api" } }] });
});

test("endless nesting and length are refused", () => {
  expect(() => ask(`${"(".repeat(500)}up${")".repeat(500)}`)).toThrow(/nested/);
  expect(() => ask(`${"-".repeat(500)}up`)).toThrow(/nested/);
  expect(() => ask("up + ".repeat(20_000))).toThrow(/characters/);
  expect(() => ask(`up${" + up".repeat(500)}`)).toThrow(/nested/);
  // The parser has a limit of its own.
  expect(() => ask("sum(".repeat(10_000))).toThrow(/parse error/);
});
