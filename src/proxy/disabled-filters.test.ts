import { afterAll, expect, test } from "bun:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { echoServer } from "./test-support/backends.ts";
import { get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

const FAULT = "envoy.filters.http.fault";
const abort = (httpStatus: number): JsonObject =>
  typed("envoy.extensions.filters.http.fault.v3.HTTPFault", { abort: { httpStatus, percentage: { numerator: 100 } } }) as JsonObject;
const echo = echoServer("echo");
const proxy = new Sidecar({ id: "n" });
afterAll(() => {
  proxy.dataPlane.stop();
  echo.stop();
});

test("a filter that is off by default is on for the routes that configure it, and for no others", async () => {
  const on = (path: string, config: JsonObject): JsonObject => ({ ...forward(path, "echo"), typedPerFilterConfig: { [FAULT]: config } });
  const off = typed("envoy.config.route.v3.FilterConfig", { disabled: true, config: abort(503) }) as JsonObject;
  await configure(proxy.dataPlane, {
    clusters: [cluster("echo", [echo.port])],
    listeners: [
      httpListener("l", {
        filters: [{ name: FAULT, disabled: true, typedConfig: abort(500) }],
        routes: [on("/on", abort(418)), on("/off", off), forward("/", "echo")],
      }),
    ],
  });
  const status = async (path: string): Promise<number> => (await get(proxy.port("l"), path, "a")).status;
  expect([await status("/on"), await status("/off"), await status("/")]).toEqual([418, 200, 200]);
});
