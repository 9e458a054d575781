import { afterEach, expect, test } from "bun:test";
import { createLogger, FakeClock, systemClock } from "../../base/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { followBoundObjects, type BoundObjects } from "./bound-objects.ts";
import { createTokenReviewer } from "./token-reviewer.ts";

const log = createLogger("test", { level: "none" });
const PODS = "/api/v1/namespaces/a/pods";
const ACCOUNTS = "/api/v1/namespaces/a/serviceaccounts";
const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

/** As the API server makes them: only the payload counts here. */
function token(claims: object, pod: object | undefined = { name: "web-1", uid: "p1" }): string {
  const payload = {
    exp: 3600,
    sub: "system:serviceaccount:a:web",
    "kubernetes.io": { namespace: "a", serviceaccount: { name: "web", uid: "s1" }, ...(pod && { pod }) },
    ...claims,
  };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
}

const object = (kind: string, name: string, uid: string): KubeObject => ({ apiVersion: "v1", kind, metadata: { name, namespace: "a", uid } });

async function world(options: { answer?: (token: string) => unknown } = {}) {
  const api = new FakeApi();
  const clock = new FakeClock(0);
  api.put(PODS, object("Pod", "web-1", "p1"));
  api.put(ACCOUNTS, object("ServiceAccount", "web", "s1"));
  api.review("tokenreviews", (review) => {
    const { token: asked, audiences } = review.spec as { token: string; audiences: string[] };
    const status = options.answer?.(asked) ?? { authenticated: true, audiences, user: { username: "system:serviceaccount:a:web" } };
    return { ...review, status } as KubeObject;
  });
  const bound = followBoundObjects({ client: api.client, clock: systemClock, log });
  stops.push(() => bound.stop());
  const reviewer = createTokenReviewer({ client: api.client, audience: "istio-ca", clock, bound });
  await eventually(() => bound.alive(CLAIMS));
  const reviews = (): number => api.requests.filter((request) => request.endsWith("tokenreviews")).length;
  return { api, clock, bound, reviewer, reviews };
}

const CLAIMS = { expires: Infinity, namespace: "a", serviceAccount: { name: "web", uid: "s1" }, pod: { name: "web-1", uid: "p1" } };

async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i++) await Bun.sleep(2);
  expect(check()).toBe(true);
}

test("a token that was accepted is not reviewed again, also when asked about twice at once", async () => {
  const { reviewer, reviews } = await world();
  const asked = await Promise.all([reviewer.review(token({})), reviewer.review(token({}))]);
  expect(asked).toEqual([
    { namespace: "a", serviceAccount: "web" },
    { namespace: "a", serviceAccount: "web" },
  ]);
  await reviewer.review(token({}));
  expect(reviews()).toBe(1);
  await reviewer.review(token({ jti: "another" }));
  expect(reviews()).toBe(2);
});

test("it dies when it expires", async () => {
  const { reviewer, reviews, clock } = await world();
  await reviewer.review(token({}));
  clock.advance(3_600_000);
  await reviewer.review(token({}));
  expect(reviews()).toBe(2);
});

test.each([
  ["pod", `${PODS}/web-1`],
  ["service account", `${ACCOUNTS}/web`],
])("it dies with its %s", async (_, path) => {
  const { reviewer, reviews, api, bound } = await world();
  await reviewer.review(token({}));
  api.remove(path);
  await eventually(() => !bound.alive(CLAIMS));
  await reviewer.review(token({}));
  await reviewer.review(token({}));
  expect(reviews()).toBe(3);
});

test("a pod of the same name is not the one that the token was made for", async () => {
  const { reviewer, reviews, api, bound } = await world();
  await reviewer.review(token({}));
  api.put(PODS, { ...object("Pod", "web-1", "p2") });
  await eventually(() => !bound.alive(CLAIMS));
  await reviewer.review(token({}));
  expect(reviews()).toBe(2);
});

test("it dies when a watch is lost: what happened meanwhile is not known", async () => {
  const { api } = await world();
  const listeners: (() => void)[] = [];
  let alive = true;
  const bound: BoundObjects = { alive: () => alive, onDoubt: (listener) => void listeners.push(listener), stop() {} };
  const reviewer = createTokenReviewer({ client: api.client, audience: "istio-ca", clock: new FakeClock(0), bound });
  const reviews = (): number => api.requests.filter((request) => request.endsWith("tokenreviews")).length;
  await reviewer.review(token({}));
  alive = false;
  for (const listener of listeners) listener();
  alive = true;
  await reviewer.review(token({}));
  expect(reviews()).toBe(2);
});

test("refusals are not remembered, and a token whose claims are not those that were reviewed neither", async () => {
  let good = false;
  const { reviewer, reviews } = await world({ answer: () => (good ? undefined : { authenticated: false }) });
  await expect(reviewer.review(token({}))).rejects.toThrow("request authenticate failure");
  good = true;
  await reviewer.review(token({}));
  expect(reviews()).toBe(2);
  const odd = token({ "kubernetes.io": { namespace: "b", serviceaccount: { name: "web", uid: "s1" } } });
  for (const text of [odd, "opaque", "a.b.c", `e30.${Buffer.from("[]").toString("base64url")}.x`]) {
    const before = reviews();
    await reviewer.review(text);
    await reviewer.review(text);
    expect(reviews()).toBe(before + 2);
  }
});
