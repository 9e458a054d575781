import { expect, test } from "bun:test";
import { parseKubeYaml, plainValue } from "./kube-yaml.ts";

test("scalars are what Kubernetes' tools take them for", () => {
  const text = "[., e0, E5, 12:30:45, 1:2.5, 2026-01-01, _1, 1e3, 1.5, .5, -1., 1.5e-3, y, off, 10, 0x10, 017, 1_000]";
  expect(plainValue(parseKubeYaml(text))).toEqual([
    ".",
    "e0",
    "E5",
    "12:30:45",
    "1:2.5",
    "2026-01-01",
    "_1",
    1000,
    1.5,
    0.5,
    -1,
    0.0015,
    true,
    false,
    10,
    16,
    15,
    1000,
  ]);
});
