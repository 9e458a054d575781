import { afterAll, expect, test } from "bun:test";
import { get } from "./test-support/http-exchange.ts";
import { configure, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

const proxy = new Sidecar({ id: "n" });
afterAll(() => proxy.dataPlane.stop());

test("a proxy that was told to fail says so to health checks, and marks what else it answers", async () => {
  const check = {
    name: "envoy.filters.http.health_check",
    typedConfig: typed("envoy.extensions.filters.http.health_check.v3.HealthCheck", {
      passThroughMode: false,
      headers: [{ name: ":path", stringMatch: { exact: "/healthz" } }],
    }),
  };
  await configure(proxy.dataPlane, {
    listeners: [httpListener("l", { filters: [check], routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "app" } } }] })],
  });
  const ask = async (path: string) => {
    const { status, headers } = await get(proxy.port("l"), path, "h");
    return [status, headers["x-envoy-immediate-health-check-fail"]];
  };
  expect([await ask("/healthz"), await ask("/")]).toEqual([
    [200, undefined],
    [200, undefined],
  ]);
  proxy.dataPlane.failHealthChecks?.(true);
  expect([await ask("/healthz"), await ask("/")]).toEqual([
    [503, undefined],
    [200, "true"],
  ]);
  proxy.dataPlane.failHealthChecks?.(false);
  expect([await ask("/healthz"), await ask("/")]).toEqual([
    [200, undefined],
    [200, undefined],
  ]);
});
