import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyObject } from "node:crypto";
import { createLogger, FakeClock } from "../../base/index.ts";
import { generateKey, issueLeaf, issueRoot, parseCertificate, parseCsr, publicKeyDer, type Certificate } from "../../pki/index.ts";
import { SecretStore } from "../../proxy/xds/index.ts";
import type { IssuedChain } from "./ca-client.ts";
import { TrustBundleFile } from "./trust-bundle.ts";
import { ROOT_SECRET, rotationDelay, WORKLOAD_SECRET, WorkloadIdentity } from "./workload-identity.ts";

const HOUR = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), "identity-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ca = async (now: number): Promise<{ root: Certificate; key: KeyObject }> => {
  const key = await generateKey();
  return { key, root: issueRoot({ key, organization: "cluster.local", now: now - HOUR, lifetimeMs: 1000 * HOUR }) };
};

async function world(name: string, change: (issue: (csr: string) => IssuedChain) => (csr: string) => IssuedChain | Promise<IssuedChain> = (issue) => issue) {
  const clock = new FakeClock(Date.parse("2026-11-24T00:00:00Z"));
  let signer = await ca(clock.now());
  const file = join(folder, name);
  writeFileSync(file, signer.root.pem);
  const secrets = new SecretStore();
  const logs: string[] = [];
  let issued = 0;
  const issue = (csr: string): IssuedChain => {
    issued++;
    const leaf = issueLeaf({
      signer: { certificate: signer.root, key: signer.key },
      spki: parseCsr(csr).spki,
      names: { uris: ["spiffe://cluster.local/ns/a/sa/b"] },
      now: clock.now(),
      lifetimeMs: 24 * HOUR,
    });
    return { chain: [leaf.pem], rootsPem: signer.root.pem };
  };
  const changed = change(issue);
  const identity = new WorkloadIdentity({
    spiffe: { trustDomain: "cluster.local", namespace: "a", serviceAccount: "b" },
    sign: async (csr) => changed(csr),
    ttlSeconds: 86400,
    keyAlgorithm: "P-256",
    bundle: new TrustBundleFile(file, clock),
    revocations: new TrustBundleFile(`${file}.crl`, clock),
    secrets,
    clock,
    random: () => 0.5,
    log: createLogger("identity", { write: (line) => void logs.push(line) }),
  });
  identity.start();
  return { clock, secrets, identity, logs, file, issued: () => issued, rotateRoot: async () => (signer = await ca(clock.now())).root };
}

const serial = (secrets: SecretStore): string => {
  const secret = secrets.get(WORKLOAD_SECRET);
  return secret && "certificateChainPem" in secret ? parseCertificate(secret.certificateChainPem).serialNumber : "";
};
const until = async (condition: () => boolean): Promise<void> => {
  for (let attempt = 0; attempt < 200 && !condition(); attempt++) await Bun.sleep(2);
  expect(condition()).toBe(true);
};

test("a certificate comes at once and is renewed at half of its life, with a new key", async () => {
  const { clock, secrets, identity } = await world("renew");
  await until(() => serial(secrets) !== "");
  const first = secrets.get(WORKLOAD_SECRET);
  const before = serial(secrets);
  clock.advance(11 * HOUR);
  await Bun.sleep(5);
  expect(serial(secrets)).toBe(before);
  clock.advance(1.1 * HOUR);
  await until(() => serial(secrets) !== before);
  const second = secrets.get(WORKLOAD_SECRET);
  if (!first || !second || !("privateKeyPem" in first) || !("privateKeyPem" in second)) throw new Error("no certificate");
  expect(second.privateKeyPem).not.toBe(first.privateKeyPem);
  identity.stop();
});

test("the rotation's jitter is a hundredth of the life", () => {
  const leaf = { notBefore: 0, notAfter: 100 * HOUR };
  expect(rotationDelay(leaf, 0, () => 0)).toBe(100 * HOUR - 0.49 * 100 * HOUR);
  expect(rotationDelay(leaf, 0, () => 1)).toBeCloseTo(49 * HOUR);
  expect(rotationDelay(leaf, 99 * HOUR, () => 0.5)).toBe(0);
});

test("a CA that refuses is asked again, with growing waits, and the old certificate stays", async () => {
  let fail = false;
  const { clock, secrets, identity, logs } = await world("retry", (issue) => (csr) => {
    if (fail) throw new Error("ca is down");
    return issue(csr);
  });
  await until(() => serial(secrets) !== "");
  const before = serial(secrets);
  fail = true;
  clock.advance(12.1 * HOUR);
  await until(() => logs.some((line) => line.includes("ca is down")));
  expect(serial(secrets)).toBe(before);
  fail = false;
  clock.advance(200);
  await until(() => serial(secrets) !== before);
  identity.stop();
});

test("a certificate for somebody else, or for another key, is never used", async () => {
  const now = Date.parse("2026-11-24T00:00:00Z");
  const signer = await ca(now);
  const otherKey = publicKeyDer(await generateKey());
  for (const [names, key] of [
    ["spiffe://cluster.local/ns/a/sa/other", undefined],
    ["spiffe://cluster.local/ns/a/sa/b", otherKey],
  ] as const) {
    const { secrets, identity, logs } = await world(`bad-${names.length}-${key ? "key" : "name"}`, () => (csr) => {
      const leaf = issueLeaf({
        signer: { certificate: signer.root, key: signer.key },
        spki: key ?? parseCsr(csr).spki,
        names: { uris: [names] },
        now,
        lifetimeMs: 24 * HOUR,
      });
      return { chain: [leaf.pem], rootsPem: signer.root.pem };
    });
    await until(() => logs.some((line) => line.includes("the CA issued a certificate for")));
    expect(secrets.get(WORKLOAD_SECRET)).toBeUndefined();
    identity.stop();
  }
});

test("roots are those of the mount and of the CA; when ours leaves the mount, the certificate is renewed at once", async () => {
  const { clock, secrets, identity, file, issued, rotateRoot } = await world("roots");
  await until(() => serial(secrets) !== "");
  const before = serial(secrets);
  const old = secrets.get(ROOT_SECRET);
  const next = await rotateRoot();
  writeFileSync(file, next.pem);
  utimesSync(file, new Date(), new Date(Date.now() + 10_000));
  clock.advance(5_000);
  await until(() => serial(secrets) !== before);
  expect(issued()).toBe(2);
  const roots = secrets.get(ROOT_SECRET);
  if (!old || !roots || !("trustedCaPem" in roots) || !("trustedCaPem" in old)) throw new Error("no roots");
  expect(roots.trustedCaPem).toBe(next.pem);
  expect(roots.trustedCaPem).not.toBe(old.trustedCaPem);
  identity.stop();
});

test("when another root signs, ours being kept, the certificate is renewed within half a minute; the CA's answer no longer adds roots", async () => {
  const { clock, secrets, identity, file, issued, rotateRoot } = await world("retired");
  await until(() => serial(secrets) !== "");
  const before = serial(secrets);
  const old = trusted(secrets);
  const next = await rotateRoot();
  const put = (pem: string, later: number): void => {
    writeFileSync(file, pem);
    utimesSync(file, new Date(), new Date(Date.now() + later));
    clock.advance(5_000);
  };
  put(old + next.pem, 10_000);
  expect(trusted(secrets)).toBe(old + next.pem);
  clock.advance(60_000);
  await Bun.sleep(10);
  expect(issued()).toBe(1);
  put(next.pem + old, 20_000);
  clock.advance(30_000);
  await until(() => serial(secrets) !== before);
  expect(issued()).toBe(2);
  put(next.pem, 30_000);
  expect(trusted(secrets)).toBe(next.pem);
  clock.advance(60_000);
  await Bun.sleep(10);
  expect(issued()).toBe(2);
  identity.stop();
});

test("revocation lists go with the roots, and change with their file", async () => {
  const { clock, secrets, identity, file } = await world("crl");
  await until(() => serial(secrets) !== "");
  expect(secrets.get(ROOT_SECRET)).not.toHaveProperty("crlPem");
  writeFileSync(`${file}.crl`, "a list");
  clock.advance(5_000);
  expect(secrets.get(ROOT_SECRET)).toMatchObject({ crlPem: "a list" });
  writeFileSync(`${file}.crl`, "");
  clock.advance(5_000);
  expect(secrets.get(ROOT_SECRET)).not.toHaveProperty("crlPem");
  identity.stop();
});

function trusted(secrets: SecretStore): string {
  const roots = secrets.get(ROOT_SECRET);
  return roots && "trustedCaPem" in roots ? roots.trustedCaPem : "";
}
