import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createLogger, FakeClock } from "../../base/index.ts";
import {
  createCsr,
  encodePrivateKey,
  generateKey,
  issueLeaf,
  issueRevocationList,
  issueRoot,
  mergeBundles,
  parseBundle,
  parseCertificate,
  publicKeyDer,
  verifyChain,
  type Signer,
} from "../../pki/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { openCa } from "./ca-store.ts";
import type { Holder } from "./root-rotation.ts";

const NOW = Date.parse("2026-11-24T00:00:00Z");
const HOUR = 3_600_000;
const SECRETS = "/api/v1/namespaces/istio-system/secrets";
const CALLER = "spiffe://cluster.local/ns/a/sa/b";
const log = createLogger("test", { level: "none" });

let clock: FakeClock;
let api: FakeApi;
const stops: (() => void)[] = [];
beforeEach(() => {
  clock = new FakeClock(NOW);
  api = new FakeApi();
});
afterEach(() => stops.splice(0).forEach((stop) => stop()));

async function authority(organization: string): Promise<Signer> {
  const key = await generateKey();
  return { key, certificate: issueRoot({ key, organization, signsRevocationLists: true, now: NOW - HOUR, lifetimeMs: 10_000 * HOUR }) };
}

function plugIn({ certificate, key }: Signer, more: Record<string, string> = {}): void {
  const data = {
    "ca-cert.pem": certificate.pem,
    "ca-key.pem": encodePrivateKey(key),
    "root-cert.pem": certificate.pem,
    "cert-chain.pem": certificate.pem,
    ...more,
  };
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "cacerts", namespace: "istio-system" },
    data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString("base64")])),
  };
  api.put(SECRETS, secret as KubeObject);
}

async function open() {
  const opened = await openCa({ client: api.client, namespace: "istio-system", trustDomain: "cluster.local", clock, log, spreadMs: 7_000 });
  stops.push(opened.stop);
  const { ca, rotation } = opened;
  const trusted = (): string[] => parseBundle(ca.material.rootBundlePem).map(({ subject }) => subject.replace("O = ", ""));
  const sign = async (): Promise<string> => ca.signRequest(createCsr({ key: await generateKey() }), CALLER, 0)[0] ?? "";
  return { ca, rotation, trusted, sign, stop: opened.stop };
}

/** Lets a watch event, or a write, arrive. */
const settle = (): Promise<void> => Bun.sleep(5);
const holders = (...keys: string[]): Holder[] => keys.map((key) => ({ key, name: `a/${key}` }));
const issuerOf = (pem: string): string => parseCertificate(pem).issuer.replace("O = ", "");

describe("a root that is replaced", () => {
  test("is first joined by the new one, which then signs, and goes when nobody holds a certificate of it", async () => {
    const [old, next] = [await authority("old"), await authority("next")];
    plugIn(old);
    const { rotation, trusted, sign } = await open();
    let workloads = holders("p1", "p2");
    rotation.follow(() => workloads);
    expect(trusted()).toEqual(["old"]);

    plugIn(next);
    await settle();
    // Whoever still trusts only the old root must not meet a certificate of the new one.
    expect(trusted()).toEqual(["old", "next"]);
    expect(issuerOf(await sign())).toBe("old");
    expect(rotation.status().spreading?.signsFrom).toBe("2026-11-24T00:00:07.000Z");

    clock.advance(7_000);
    expect(trusted()).toEqual(["next", "old"]);
    expect(issuerOf(await sign())).toBe("next");
    expect(rotation.status().retired).toMatchObject([{ remaining: 2, workloads: ["a/p1", "a/p2"] }]);

    rotation.issued("p1", 24 * HOUR);
    rotation.issued(undefined, 24 * HOUR);
    expect(rotation.status().retired).toMatchObject([{ remaining: 1, workloads: ["a/p2"] }]);
    clock.advance(6 * HOUR);
    expect(trusted()).toEqual(["next", "old"]);

    // A pod that goes no longer counts, and one that came has its certificate from the new root.
    workloads = holders("p1", "p3");
    rotation.issued("p3", 24 * HOUR);
    clock.advance(5_000);
    expect(trusted()).toEqual(["next"]);
    expect(rotation.status().retired).toEqual([]);
  });

  test("goes at the latest when the last certificate of it has ended, however long that was asked for", async () => {
    plugIn(await authority("old"));
    const { rotation, trusted } = await open();
    rotation.follow(() => holders("never renews"));
    rotation.issued("p", 48 * HOUR);
    plugIn(await authority("next"));
    await settle();
    clock.advance(7_000);
    clock.advance(47 * HOUR);
    expect(trusted()).toEqual(["next", "old"]);
    clock.advance(HOUR + 5_000);
    expect(trusted()).toEqual(["next"]);
  });

  test("is kept while it is not known who runs", async () => {
    plugIn(await authority("old"));
    const { trusted } = await open();
    plugIn(await authority("next"));
    await settle();
    clock.advance(HOUR);
    expect(trusted()).toEqual(["next", "old"]);
  });

  test("leaves every pair of peers able to verify each other at every moment", async () => {
    plugIn(await authority("old"));
    const { ca, rotation, sign } = await open();
    rotation.follow(() => holders("p"));
    /** Certificates and bundles that workloads may have in their hands: each bundle was distributed at some time. */
    const seen: { leaf: string; bundle: string }[] = [];
    const look = async (): Promise<void> => void seen.push({ leaf: await sign(), bundle: ca.material.rootBundlePem });
    await look();
    plugIn(await authority("next"));
    await settle();
    await look();
    clock.advance(7_000);
    await look();
    const verifies = (leaf: string, bundle: string): boolean => {
      try {
        verifyChain(parseCertificate(leaf), { intermediates: [], roots: parseBundle(bundle), now: clock.now() });
        return true;
      } catch {
        return false;
      }
    };
    const [before, spreading, after] = seen;
    if (!before || !spreading || !after) throw new Error("three were looked at");
    // From one step to the next both sides verify; the first and the last never meet, since the spread is over by then.
    for (const [a, b] of [
      [before, spreading],
      [spreading, after],
    ] as const) {
      expect(verifies(a.leaf, b.bundle)).toBe(true);
      expect(verifies(b.leaf, a.bundle)).toBe(true);
    }
    expect(verifies(before.leaf, after.bundle)).toBe(true);
  });

  test("is dropped at once when the operator deletes the record", async () => {
    plugIn(await authority("old"));
    const { rotation, trusted } = await open();
    rotation.follow(() => holders("p"));
    plugIn(await authority("next"));
    await settle();
    clock.advance(7_000);
    clock.advance(2_000);
    await settle();
    expect(trusted()).toEqual(["next", "old"]);
    api.remove(`${SECRETS}/istio-ca-rotation`);
    clock.advance(5_000);
    await settle();
    expect(trusted()).toEqual(["next"]);
  });
});

test("a new root that is trusted already signs at once", async () => {
  const [old, next] = [await authority("old"), await authority("next")];
  plugIn(old, { "root-cert.pem": mergeBundles(old.certificate.pem, next.certificate.pem) });
  const { trusted, sign } = await open();
  plugIn(next, { "root-cert.pem": mergeBundles(next.certificate.pem, old.certificate.pem) });
  await settle();
  expect(issuerOf(await sign())).toBe("next");
  expect(trusted()).toEqual(["next", "old"]);
});

test("a new intermediate under the same root, and a root renewed with its key, retire nothing", async () => {
  const root = await authority("root");
  plugIn(root);
  const { rotation, trusted } = await open();
  const renewed = issueRoot({ key: root.key, organization: "root", now: NOW, lifetimeMs: 20_000 * HOUR });
  plugIn({ certificate: renewed, key: root.key });
  await settle();
  expect(trusted()).toEqual(["root"]);
  expect(rotation.status().retired).toEqual([]);
});

test("two replacements in a row keep both old roots; one that comes back is no longer retired", async () => {
  const [first, second, third] = [await authority("first"), await authority("second"), await authority("third")];
  plugIn(first);
  const { trusted, rotation } = await open();
  rotation.follow(() => holders("p"));
  for (const next of [second, third]) {
    plugIn(next);
    await settle();
    clock.advance(7_000);
  }
  expect(trusted()).toEqual(["third", "first", "second"]);
  plugIn(first);
  await settle();
  expect(trusted()).toEqual(["first", "second", "third"]);
});

describe("after a restart", () => {
  test("the rotation goes on where it was", async () => {
    plugIn(await authority("old"));
    const first = await open();
    first.rotation.follow(() => holders("p1", "p2"));
    plugIn(await authority("next"));
    await settle();
    clock.advance(7_000);
    first.rotation.issued("p1", 24 * HOUR);
    clock.advance(2_000);
    await settle();
    first.stop();
    const second = await open();
    second.rotation.follow(() => holders("p1", "p2"));
    expect(second.trusted()).toEqual(["next", "old"]);
    expect(second.rotation.status().retired).toMatchObject([{ remaining: 1, workloads: ["a/p2"] }]);
  });

  test("several istiods tell each other whom they renewed, and one alone ends it", async () => {
    plugIn(await authority("old"));
    const [one, two] = [await open(), await open()];
    for (const { rotation } of [one, two]) rotation.follow(() => holders("p1", "p2"));
    plugIn(await authority("next"));
    await settle();
    clock.advance(7_000);
    await settle();
    one.rotation.issued("p1", 24 * HOUR);
    two.rotation.issued("p2", 24 * HOUR);
    for (let i = 0; i < 6; i++) {
      clock.advance(2_500);
      await settle();
    }
    expect([one.trusted(), two.trusted()]).toEqual([["next"], ["next"]]);
    one.stop();
    two.stop();
  });

  test("a root that was replaced meanwhile stays trusted", async () => {
    plugIn(await authority("old"));
    const first = await open();
    clock.advance(2_000);
    await settle();
    first.stop();
    plugIn(await authority("next"));
    const second = await open();
    second.rotation.follow(() => holders("p"));
    expect(second.trusted()).toEqual(["next", "old"]);
    expect(second.rotation.status().retired).toMatchObject([{ remaining: 1 }]);
  });

  test("a record that cannot be read harms nothing", async () => {
    plugIn(await authority("old"));
    for (const text of ["", "{", "{}", '{"current":"x"}', '{"retired":[{"pem":"x","since":1,"until":2}]}', "null"]) {
      api.put(SECRETS, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "istio-ca-rotation", namespace: "istio-system" },
        data: { "rotation.json": Buffer.from(text).toString("base64") },
      } as KubeObject);
      const { trusted, stop } = await open();
      expect(trusted()).toEqual(["old"]);
      stop();
    }
  });
});

test("revocation lists of both roots hold during a rotation", async () => {
  const [old, next] = [await authority("old"), await authority("next")];
  const leafKey = await generateKey();
  const revoked = issueLeaf({ signer: old, spki: publicKeyDer(leafKey), names: { uris: [CALLER] }, now: NOW, lifetimeMs: HOUR });
  const list = (signer: Signer, serials: string[]): string => issueRevocationList({ signer, serials, now: NOW, lifetimeMs: HOUR }).pem;
  plugIn(old, { "ca-crl.pem": list(old, [revoked.serialNumber]) });
  const { ca, rotation } = await open();
  expect(ca.isRevoked(revoked)).toBe(true);
  rotation.follow(() => holders("p"));
  plugIn(next, { "ca-crl.pem": list(next, []) });
  await settle();
  expect(ca.isRevoked(revoked)).toBe(true);
  clock.advance(7_000);
  expect(ca.isRevoked(revoked)).toBe(true);
});

/** The same with the last bit of the signature turned over. */
function damaged(pem: string): string {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");
  der[der.length - 1]! ^= 1;
  return `-----BEGIN X509 CRL-----\n${der.toString("base64")}\n-----END X509 CRL-----\n`;
}

test("a list that no verifier would accept is not taken: it would end the whole mesh", async () => {
  const [own, other] = [await authority("own"), await authority("other")];
  const mayNot = issueRoot({ key: own.key, organization: "own", now: NOW, lifetimeMs: 10_000 * HOUR });
  const list = (signer: Signer): string => issueRevocationList({ signer, serials: ["12"], now: NOW, lifetimeMs: HOUR }).pem;
  plugIn(own);
  const { ca } = await open();
  for (const bad of [list(other), damaged(list(own)), "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"]) {
    plugIn(own, { "ca-crl.pem": bad });
    await settle();
    expect(ca.material.crlPem).toBe("");
  }
  plugIn({ certificate: mayNot, key: own.key }, { "ca-crl.pem": list(own) });
  await settle();
  expect(ca.material.crlPem).toBe("");
  plugIn(own, { "ca-crl.pem": list(own) });
  await settle();
  expect(ca.material.crlPem).toContain("X509 CRL");
});
