import { expect, test } from "bun:test";
import { createLogger, FakeClock } from "../../base/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import { snapshotOf, type Registry, type RegistryChange } from "../registry/index.ts";
import { createJwksFetcher } from "./jwks-fetcher.ts";

const log = createLogger("test", { level: "none" });
const policy = (...jwtRules: object[]): KubeObject => ({
  apiVersion: "security.istio.io/v1",
  kind: "RequestAuthentication",
  metadata: { name: "jwt", namespace: "a" },
  spec: { jwtRules },
});
const settled = (): Promise<void> => Bun.sleep(2);

function setUp(objects: KubeObject[]) {
  let snapshot = snapshotOf(objects);
  const listeners = new Set<(change: RegistryChange) => void>();
  const registry: Registry = {
    current: () => snapshot,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    synced: Promise.resolve(),
    stop: () => {},
  };
  const clock = new FakeClock();
  const pages = new Map<string, string>();
  const asked: string[] = [];
  const fetcher = createJwksFetcher({
    registry,
    clock,
    log,
    random: () => 0.5,
    fetch: (url) => {
      asked.push(url);
      const page = pages.get(url);
      return Promise.resolve(new Response(page ?? "", { status: page === undefined ? 404 : 200 }));
    },
  });
  const change = (next: KubeObject[]): void => {
    snapshot = snapshotOf(next);
    for (const listener of listeners) listener({ kinds: new Set(["RequestAuthentication"]), keys: new Set(), endpoints: new Set(), identities: new Set() });
  };
  return { fetcher, clock, pages, asked, change };
}

test("keys come by URI or by the issuer's discovery; inline keys are not asked for", async () => {
  const { fetcher, pages, asked, change } = setUp([]);
  await settled();
  pages.set("https://a/keys", '{"keys":[1]}');
  pages.set("https://b/.well-known/openid-configuration", '{"jwks_uri":"https://b/k"}');
  pages.set("https://b/k", '{"keys":[2]}');
  let changes = 0;
  fetcher.onChange(() => changes++);
  change([policy({ issuer: "a", jwksUri: "https://a/keys" }, { issuer: "https://b/" }, { issuer: "c", jwks: '{"keys":[]}' })]);
  await settled();
  expect(fetcher.get("a", "https://a/keys")).toBe('{"keys":[1]}');
  expect(fetcher.get("https://b/", undefined)).toBe('{"keys":[2]}');
  expect(asked).toHaveLength(3);
  expect(changes).toBe(2);
  fetcher.stop();
});

test("failures are retried and keep the old keys; new keys are told once; policies that go end the asking", async () => {
  const { fetcher, clock, pages, asked, change } = setUp([policy({ issuer: "a", jwksUri: "https://a/keys" })]);
  await settled();
  expect(fetcher.get("a", "https://a/keys")).toBeUndefined();
  pages.set("https://a/keys", "<html>");
  clock.advance(1_000);
  await settled();
  expect(fetcher.get("a", "https://a/keys")).toBeUndefined();
  pages.set("https://a/keys", '{"keys":[1]}');
  clock.advance(2_000);
  await settled();
  expect(fetcher.get("a", "https://a/keys")).toBe('{"keys":[1]}');

  let changes = 0;
  fetcher.onChange(() => changes++);
  clock.advance(20 * 60_000);
  await settled();
  expect(changes).toBe(0);
  pages.delete("https://a/keys");
  clock.advance(20 * 60_000);
  await settled();
  expect(fetcher.get("a", "https://a/keys")).toBe('{"keys":[1]}');
  pages.set("https://a/keys", '{"keys":[2]}');
  clock.advance(1_000);
  await settled();
  expect([fetcher.get("a", "https://a/keys"), changes]).toEqual(['{"keys":[2]}', 1]);

  const before = asked.length;
  change([]);
  clock.advance(60 * 60_000);
  await settled();
  expect(asked).toHaveLength(before);
  fetcher.stop();
});
