import { expect, test } from "bun:test";
import objects from "../../../test/golden/api/objects.json";
import tables from "../../../test/golden/api/tables.json";
import { builtinResources, definitionFromCrd, humanDuration, istioCrds, summarizePod } from "../index.ts";
import type { Pod } from "../core.ts";
import type { KubeObject, ResourceDefinition } from "../types.ts";

interface Table {
  columns: [string, string, string, number][];
  rows: { cells: unknown[]; name: string; namespace: string | null }[];
}

const definitions = new Map<string, ResourceDefinition>([...builtinResources(), ...istioCrds().map(definitionFromCrd)].map((d) => [d.plural, d]));

for (const [plural, table] of Object.entries(tables as unknown as Record<string, Table>)) {
  const definition = definitions.get(plural);
  if (!definition) throw new Error(`no ${plural}`);
  const columns = definition.versions[0]?.columns ?? definition.columns;
  test(`${plural}: columns as the real server has them`, () => {
    expect(columns.map((c) => [c.name, c.type, c.format ?? "", c.priority] as [string, string, string, number])).toEqual(table.columns);
  });
  const rows = table.rows.flatMap((row) => {
    const object = (objects as unknown as KubeObject[]).find(
      (o) => o.kind === definition.kind && o.metadata.name === row.name && (o.metadata.namespace ?? null) === row.namespace,
    );
    return object ? [{ row, object }] : [];
  });
  if (rows.length > 0) {
    test(`${plural}: cells as the real server has them`, () => {
      for (const { row, object } of rows) {
        for (const [index, column] of columns.entries()) {
          if (column.name !== "Age") expect(column.cell(object, 0)).toEqual(row.cells[index] as never);
        }
      }
    });
  }
}

test("ages", () => {
  const s = 1000;
  const m = 60 * s;
  const h = 60 * m;
  const d = 24 * h;
  const cases: [number, string][] = [
    [-2 * s, "<invalid>"],
    [-1 * s, "0s"],
    [47 * s, "47s"],
    [119 * s, "119s"],
    [200 * s, "3m20s"],
    [5 * m, "5m"],
    [21 * m + 9 * s, "21m"],
    [179 * m, "179m"],
    [5 * h + 10 * m, "5h10m"],
    [7 * h, "7h"],
    [47 * h, "47h"],
    [2 * d + 3 * h, "2d3h"],
    [3 * d, "3d"],
    [30 * d + h, "30d"],
    [800 * d, "2y70d"],
    [730 * d, "2y"],
    [9 * 365 * d, "9y"],
  ];
  expect(cases.map(([ms]) => humanDuration(ms))).toEqual(cases.map(([, text]) => text));
});

function pod(spec: unknown, status: unknown, deletionTimestamp?: string): Pod {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "p", ...(deletionTimestamp ? { deletionTimestamp } : {}) }, spec, status } as Pod;
}
const show = (p: Pod) => {
  const { ready, total, status, restarts } = summarizePod(p);
  return `${ready}/${total} ${status} ${restarts}`;
};

test("pod status: init containers, sidecars, restarts, termination", () => {
  const two = { containers: [{ name: "a" }], initContainers: [{ name: "i" }, { name: "istio-proxy", restartPolicy: "Always" }] };
  const running = { running: {} };
  const waiting = (reason: string) => ({ waiting: { reason } });
  expect(show(pod(two, { phase: "Pending" }))).toBe("0/2 Pending 0");
  expect(show(pod(two, { phase: "Pending", initContainerStatuses: [{ name: "i", restartCount: 0, state: running }] }))).toBe("0/2 Init:0/2 0");
  expect(
    show(
      pod(two, {
        phase: "Pending",
        initContainerStatuses: [
          { name: "i", restartCount: 0, state: { terminated: { exitCode: 0 } } },
          { name: "istio-proxy", restartCount: 0, started: false, state: running },
        ],
      }),
    ),
  ).toBe("0/2 Init:1/2 0");
  expect(show(pod(two, { phase: "Pending", initContainerStatuses: [{ name: "i", restartCount: 3, state: waiting("CrashLoopBackOff") }] }))).toBe(
    "0/2 Init:CrashLoopBackOff 3",
  );
  expect(show(pod(two, { phase: "Pending", initContainerStatuses: [{ name: "i", restartCount: 0, state: { terminated: { exitCode: 2 } } }] }))).toBe(
    "0/2 Init:ExitCode:2 0",
  );

  const up = (container: object) => ({
    phase: "Running",
    conditions: [{ type: "Initialized", status: "True" }],
    initContainerStatuses: [
      { name: "i", restartCount: 1, state: { terminated: { exitCode: 0 } } },
      { name: "istio-proxy", restartCount: 2, started: true, ready: true, state: running },
    ],
    containerStatuses: [{ name: "a", restartCount: 4, ready: true, state: running, ...container }],
  });
  expect(show(pod(two, up({})))).toBe("2/2 Running 6");
  expect(show(pod(two, up({ ready: false, state: waiting("CrashLoopBackOff") })))).toBe("1/2 CrashLoopBackOff 6");
  expect(show(pod(two, up({ ready: false, state: { terminated: { exitCode: 0, reason: "Completed" } } })))).toBe("1/2 Completed 6");
  expect(show(pod(two, up({}), "2026-01-01T00:00:00Z"))).toBe("2/2 Terminating 6");
  expect(
    show(
      pod(
        two,
        { phase: "Succeeded", containerStatuses: [{ name: "a", restartCount: 0, state: { terminated: { exitCode: 0, reason: "Completed" } } }] },
        "2026-01-01T00:00:00Z",
      ),
    ),
  ).toBe("0/2 Completed 0");
  expect(
    show(pod({ containers: [{ name: "a" }] }, { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] })),
  ).toBe("0/1 SchedulingGated 0");
});
