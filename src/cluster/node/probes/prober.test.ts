import { expect, test } from "bun:test";
import { FakeClock } from "../../../base/index.ts";
import type { Container, Probe } from "../../../resources/index.ts";
import { FakeRuntime } from "../testing/fake-runtime.ts";
import { Prober } from "./prober.ts";

/** A prober whose attempts succeed or fail by the clock's seconds; tells what it called back and when. */
function scene(container: Partial<Container>, ok: (kind: "startup" | "readiness" | "liveness", seconds: number) => boolean) {
  const clock = new FakeClock();
  const log: string[] = [];
  const attempts: string[] = [];
  const say = (text: string) => void log.push(`${clock.now() / 1000}s ${text}`);
  const full: Container = { name: "app", ...container };
  const kindOf = (probe: Probe) => (probe === full.startupProbe ? "startup" : probe === full.readinessProbe ? "readiness" : "liveness");
  const prober = new Prober({
    target: { runtime: new FakeRuntime(), clock, container: full, containerId: "c", podIP: "10.0.0.1", env: {} },
    startedAt: 0,
    callbacks: {
      onStarted: () => say("started"),
      onReady: (ready) => say(ready ? "ready" : "unready"),
      onKill: (kind) => say(`kill ${kind}`),
      onFailure: (kind) => say(`failure ${kind}`),
    },
    run: async (probe) => {
      attempts.push(`${kindOf(probe)}@${clock.now() / 1000}`);
      return { ok: ok(kindOf(probe), clock.now() / 1000), message: "" };
    },
  });
  const advance = async (ms: number) => {
    const settle = async () => {
      for (let i = 0; i < 5; i++) await Promise.resolve();
    };
    await settle();
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(50);
      await settle();
    }
  };
  return { prober, log, attempts, advance };
}

const probe = (extra: Probe = {}): Probe => ({ tcpSocket: { port: 1 }, periodSeconds: 10, ...extra });

test("without probes a container is started and ready at once", () => {
  const { prober, log } = scene({}, () => true);
  prober.start();
  expect(log).toEqual(["0s started", "0s ready"]);
});

test("readiness begins when start-up has passed, at once and then by its period", async () => {
  const { prober, log, attempts, advance } = scene(
    { startupProbe: probe({ periodSeconds: 1, failureThreshold: 10 }), readinessProbe: probe({ periodSeconds: 5 }) },
    (kind, s) => kind === "readiness" || s >= 3,
  );
  prober.start();
  await advance(14_000);
  expect(log.filter((l) => !l.includes("failure"))).toEqual(["3s started", "3s ready", "8s ready", "13s ready"]);
  expect(attempts.filter((a) => a.startsWith("readiness"))).toEqual(["readiness@3", "readiness@8", "readiness@13"]);
});

test("before the first success there are extra attempts, which count only when they succeed", async () => {
  const { prober, log, attempts, advance } = scene({ readinessProbe: probe() }, (_kind, s) => s >= 0.3);
  prober.start();
  await advance(11_000);
  expect(attempts).toEqual(["readiness@0", "readiness@0.05", "readiness@0.15", "readiness@0.35", "readiness@10.35"]);
  expect(log).toEqual(["0s started", "0s failure Readiness", "0.35s ready", "10.35s ready"]);
});

test("the initial delay is kept", async () => {
  const { prober, attempts, advance } = scene({ readinessProbe: probe({ initialDelaySeconds: 3 }) }, () => true);
  prober.start();
  await advance(5_000);
  expect(attempts).toEqual(["readiness@3"]);
});

test("a start-up probe kills after its threshold, counting by periods; nothing else is probed before", async () => {
  const { prober, log, attempts, advance } = scene({ startupProbe: probe({ periodSeconds: 2, failureThreshold: 3 }), livenessProbe: probe() }, () => false);
  prober.start();
  await advance(20_000);
  expect(log).toEqual(["0s failure Startup", "2s failure Startup", "4s failure Startup", "4s kill Startup"]);
  expect(attempts.every((a) => a.startsWith("startup"))).toBe(true);
});

test("thresholds ask for results in a row", async () => {
  const up = new Set([0, 10, 30, 40]);
  const { prober, log, advance } = scene(
    { readinessProbe: probe({ successThreshold: 2, failureThreshold: 2 }), livenessProbe: probe({ failureThreshold: 2 }) },
    (_kind, s) => up.has(s),
  );
  prober.start();
  await advance(65_000);
  expect(log.filter((l) => !l.includes("failure"))).toEqual(["0s started", "10s ready", "40s ready", "60s unready", "60s kill Liveness"]);
});

test("a stopped prober says nothing more", async () => {
  const { prober, log, advance } = scene({ livenessProbe: probe({ failureThreshold: 1 }) }, (_kind, s) => s < 5);
  prober.start();
  prober.stop();
  await advance(30_000);
  expect(log).toEqual(["0s started", "0s ready"]);
});
