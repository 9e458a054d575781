import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../base/index.ts";
import { History } from "./history.ts";
import { MetricStore } from "./metric-store.ts";
import { Series } from "./series.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const newStore = () => new MetricStore({ retentionMs: 3_600_000, maxRunsPerSeries: 1_000, maxSeries: 1_000 });
const newHistory = (folder: string, more: Partial<ConstructorParameters<typeof History>[0]> = {}) =>
  new History({ folder, maxBytes: 1 << 20, segmentBytes: 1 << 18, endedMs: 5_000, stepMs: 1_000, log: createLogger("test", { level: "none" }), ...more });
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-history-"));
  folders.push(folder);
  return folder;
};
const put = (store: MetricStore, name: string, time: number, value: number) => store.series({ __name__: name, app: 'a"b' })!.series.append(time, value, 1_000);
const get = (store: MetricStore, name: string) => store.select([]).find(({ labels }) => labels.__name__ === name);

describe("history on disk", () => {
  test("a store that was killed comes back with what was saved, ends and gaps included", () => {
    const folder = newFolder();
    const store = newStore();
    const history = newHistory(folder);
    history.load(store);
    for (let t = 0; t <= 60; t++) {
      put(store, "steady", 1_000_000 + t * 1000, 5);
      put(store, "growing", 1_000_000 + t * 1000, t);
      if (t <= 20) put(store, "gone", 1_000_000 + t * 1000, 1);
      if (t % 10 === 0) history.save(store, 1_000_000 + t * 1000);
    }
    const back = newStore();
    expect(newHistory(folder).load(back)).toBe(3);
    expect(get(back, "steady")!.labels).toEqual({ __name__: "steady", app: 'a"b' });
    expect(get(back, "steady")!.at(1_060_000, 0)).toBe(5);
    expect([0, 25, 60].map((t) => get(back, "growing")!.at(1_000_000 + t * 1000, 10_000))).toEqual([0, 20, 60]);
    expect(get(back, "gone")!.at(1_045_000, 10_000)).toBeUndefined();
    // The scraper finds the same series by the same key and goes on.
    put(back, "growing", 1_070_000, 70);
    expect(get(back, "growing")!.at(1_070_000, 0)).toBe(70);
    expect(back.seriesCount).toBe(3);
  });

  test("kill -9 in the middle of writing loses nothing that was written before", async () => {
    const folder = newFolder();
    const writer = `
      import { createLogger } from "${join(import.meta.dir, "../../base/index.ts")}";
      import { History } from "${join(import.meta.dir, "history.ts")}";
      import { MetricStore } from "${join(import.meta.dir, "metric-store.ts")}";
      const store = new MetricStore({ retentionMs: 1e9, maxRunsPerSeries: 1000, maxSeries: 1000 });
      const history = new History({ folder: ${JSON.stringify(folder)}, maxBytes: 1 << 20, segmentBytes: 1 << 14, endedMs: 5000, stepMs: 1000, log: createLogger("t", { level: "none" }) });
      history.load(store);
      for (let t = 1; ; t++) {
        for (let i = 0; i < 50; i++) store.series({ __name__: "n" + i }).series.append(t * 1000, t + i, 1000);
        history.save(store, t * 1000);
        if (t === 100) console.log("written");
      }`;
    const child = Bun.spawn([process.execPath, "-e", writer], { stdout: "pipe", stderr: "inherit" });
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await child.exited;
    const back = newStore();
    expect(newHistory(folder).load(back)).toBeGreaterThanOrEqual(50);
    const last = get(back, "n0")!.lastTime;
    for (let i = 0; i < 50; i++) {
      const series = get(back, `n${i}`)!;
      // The last record may have been cut off: for all series alike.
      expect([i, series.lastTime, series.lastValue]).toEqual([i, last, last / 1000 + i]);
      expect(series.at(100_000, 0) ?? series.first!.time > 100_000).toBeTruthy();
    }
    // Now is long after: a gap, not a line drawn on.
    expect(get(back, "n0")!.at(last + 60_000, 300_000)).toBeUndefined();
  }, 20_000);

  test("a first burst between two saves is still a rise after a kill", () => {
    const folder = newFolder();
    const store = newStore();
    const history = newHistory(folder);
    history.load(store);
    put(store, "burst", 1_000, 0);
    put(store, "burst", 2_000, 3);
    history.save(store, 3_000);
    const back = newStore();
    newHistory(folder).load(back);
    const { values } = get(back, "burst")!.window(0, 20_000);
    expect([values[0], values.at(-1)]).toEqual([0, 3]);
  });

  test("a line that was cut off and a file that is rubbish lose only themselves", () => {
    const folder = newFolder();
    const store = newStore();
    const history = newHistory(folder);
    history.load(store);
    put(store, "a", 1_000, 1);
    history.save(store, 1_000);
    appendFileSync(join(folder, readdirSync(folder)[0]!), "V 2000 @0 9");
    appendFileSync(join(folder, "history-00000000.log"), 'L "x\nS 0 1 2 3 4\nS 7 nonsense\nV nonsense\n\0\0');
    const back = newStore();
    newHistory(folder).load(back);
    expect(get(back, "a")!.at(1_000, 0)).toBe(1);
    expect(get(back, "a")!.lastTime).toBe(1_000);
  });

  test("the files stay within their size", () => {
    const folder = newFolder();
    const store = newStore();
    const history = newHistory(folder, { maxBytes: 20_000, segmentBytes: 4_000 });
    history.load(store);
    for (let t = 0; t < 2_000; t++) {
      put(store, "growing", t * 1000, t);
      history.save(store, t * 1000);
    }
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(20_000);
    const back = newStore();
    newHistory(folder).load(back);
    expect(get(back, "growing")!.lastValue).toBe(1_999);
  });
});

describe("older samples", () => {
  const tiers = [
    { olderThanMs: 60_000, keepEveryMs: 15_000 },
    { olderThanMs: 600_000, keepEveryMs: 60_000 },
  ];

  test("thin out without holes, and a rate stays what it was", () => {
    const series = new Series({});
    for (let t = 0; t <= 1_200; t++) series.append(t * 1000, 3 * t, 1_000);
    series.thin(1_200_000, tiers, 5_000);
    expect(series.runs).toBeLessThan(130);
    for (const t of [30, 400, 1_000, 1_170]) {
      const value = series.at(t * 1000, 10_000);
      expect(value).toBeDefined();
      expect(Math.abs(value! - 3 * t)).toBeLessThanOrEqual(180);
    }
    const { times, values } = series.window(300_000, 900_000);
    expect((values.at(-1)! - values[0]!) / ((times.at(-1)! - times[0]!) / 1000)).toBeCloseTo(3, 0);
    expect(series.at(1_200_000, 0)).toBe(3_600);
  });

  test("a time in which the target was down stays one", () => {
    const series = new Series({});
    for (let t = 0; t <= 100; t++) if (t < 30 || t > 70) series.append(t * 1000, t, 1_000);
    series.thin(1_000_000, tiers, 5_000);
    expect(series.at(50_000, 10_000)).toBeUndefined();
    expect(series.at(29_000, 10_000)).toBeDefined();
  });
});
