import { expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { createHttpbin } from "./handler.ts";
import type { Style } from "./echo.ts";
import { pickStatus } from "./statuses.ts";

const slept: number[] = [];
const answer = (path: string, init: RequestInit = {}, style: Style = "go"): Promise<Response> =>
  Promise.resolve(
    createHttpbin(style, { random: () => 0.5, sleep: async (ms) => void slept.push(ms), now: () => 0 })(
      new Request(`http://httpbin:8000${path}`, init),
      () => "::ffff:10.0.0.9",
    ),
  );

test("a request is told back: lists in the new httpbin, single texts in the old", async () => {
  const init = { headers: { "X-Forwarded-Client-Cert": "By=spiffe://a", "x-b3-traceid": "1" } };
  const fresh = (await (await answer("/get?a=1&a=2&b=3", init)).json()) as { args: unknown; headers: Record<string, string[]>; origin: string; url: string };
  expect(fresh.headers["X-Forwarded-Client-Cert"]).toEqual(["By=spiffe://a"]);
  expect([fresh.args, fresh.origin, fresh.url]).toEqual([{ a: ["1", "2"], b: ["3"] }, "10.0.0.9", "http://httpbin:8000/get?a=1&a=2&b=3"]);
  const old = (await (await answer("/headers", init, "python")).json()) as { headers: Record<string, string> };
  expect(old.headers["X-B3-Traceid"]).toBe("1");
});

test("a body is told back as form, as JSON and as data", async () => {
  const json = (await (await answer("/post", { method: "POST", body: '{"a":1}' })).json()) as { data: string; json: unknown };
  expect([json.data, json.json]).toEqual(['{"a":1}', { a: 1 }]);
  const form = (await (await answer("/anything/x", { method: "PUT", body: new URLSearchParams({ a: "1" }) }, "python")).json()) as {
    form: unknown;
    method: string;
  };
  expect([form.form, form.method]).toEqual([{ a: "1" }, "PUT"]);
  const bytes = (await (await answer("/post", { method: "POST", body: Uint8Array.of(255, 0) })).json()) as { data: string };
  expect(bytes.data).toBe("data:application/octet-stream;base64,/wA=");
});

test("statuses, alone and by weight", async () => {
  expect((await answer("/status/503")).status).toBe(503);
  expect(await (await answer("/status/418")).text()).toContain("teapot");
  expect((await answer("/status/99")).status).toBe(400);
  expect([0, 0.3, 0.99].map((at) => pickStatus("200:0.25,503:0.5,404:0.25", () => at))).toEqual([200, 503, 404]);
  expect(["", "x", "200:0", "600", "200,abc"].map((text) => pickStatus(text, () => 0))).toEqual([undefined, undefined, undefined, undefined, undefined]);
});

test("delays have a limit, methods and pages are checked", async () => {
  slept.length = 0;
  await answer("/delay/2");
  await answer("/delay/1000");
  expect(slept).toEqual([2000, 10_000]);
  expect((await answer("/get", { method: "POST" })).status).toBe(405);
  expect((await answer("/constructor")).status).toBe(404);
  expect((await answer("/bytes/1000000000")).status).toBe(400);
});

test("cookies, redirects, credentials, encodings", async () => {
  const set = await answer("/cookies/set?a=1");
  expect([set.status, set.headers.get("location"), set.headers.get("set-cookie")]).toEqual([302, "/cookies", "a=1; Path=/"]);
  expect(await (await answer("/cookies", { headers: { cookie: "a=1; b=x=y" } })).json()).toEqual({ a: "1", b: "x=y" });
  expect((await answer("/redirect/2")).headers.get("location")).toBe("/redirect/1");
  expect((await answer("/basic-auth/me/pw", { headers: { authorization: `Basic ${btoa("me:pw")}` } })).status).toBe(200);
  expect((await answer("/basic-auth/me/pw")).status).toBe(401);
  expect(await (await answer("/bearer", { headers: { authorization: "Bearer t" } })).json()).toEqual({ authenticated: true, token: "t" });
  expect(JSON.parse(gunzipSync(await (await answer("/gzip")).arrayBuffer()).toString())).toMatchObject({ gzipped: true });
});
