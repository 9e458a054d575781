import { createPublicKey } from "node:crypto";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRevoked, issueRevocationList, parseRevocationLists } from "./crl.ts";
import { issueLeaf, issueRoot } from "./issue.ts";
import { encodePrivateKey, generateKey, publicKeyDer } from "./keys.ts";

const DAY = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), "crl-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function authority(organization: string) {
  const key = await generateKey();
  const certificate = issueRoot({ key, organization, now: Date.now() - 1000, lifetimeMs: DAY });
  const leaf = async () =>
    issueLeaf({
      signer: { certificate, key },
      spki: publicKeyDer(await generateKey()),
      names: { uris: ["spiffe://a/ns/b/sa/c"] },
      now: Date.now(),
      lifetimeMs: DAY,
    });
  return { key, certificate, leaf };
}

test("a list revokes what it names, of its own issuer only", async () => {
  const [ours, theirs] = [await authority("one"), await authority("two")];
  const [bad, good] = [await ours.leaf(), await ours.leaf()];
  const list = issueRevocationList({ signer: { certificate: ours.certificate, key: ours.key }, serials: [bad.serialNumber], now: Date.now(), lifetimeMs: DAY });
  expect(isRevoked(bad, [list])).toBe(true);
  expect(isRevoked(good, [list])).toBe(false);
  expect(isRevoked({ ...(await theirs.leaf()), serialNumber: bad.serialNumber }, [list])).toBe(false);
  expect(list.signedBy(createPublicKey(ours.key))).toBe(true);
  expect(list.signedBy(createPublicKey(theirs.key))).toBe(false);
});

test("several lists stand in one text; an empty text has none", async () => {
  const { key, certificate } = await authority("one");
  const make = (serials: string[]) => issueRevocationList({ signer: { certificate, key }, serials, now: Date.now(), lifetimeMs: DAY });
  const read = parseRevocationLists(make(["0a", "ff00"]).pem + certificate.pem + make([]).pem);
  expect(read.map(({ serials }) => [...serials])).toEqual([["a", "ff00"], []]);
  expect(parseRevocationLists("")).toEqual([]);
});

test("openssl reads our lists, and we read openssl's", async () => {
  const { key, certificate } = await authority("one");
  const list = issueRevocationList({ signer: { certificate, key }, serials: ["1234"], now: Date.parse("2026-11-24T00:00:00Z"), lifetimeMs: DAY });
  writeFileSync(join(folder, "ours.pem"), list.pem);
  const text = openssl("crl", "-in", "ours.pem", "-noout", "-text");
  expect(text).toContain("Serial Number: 1234");
  expect(text).toMatch(/Next Update: Nov 25 00:00:00 2026 GMT/);

  writeFileSync(join(folder, "ca.pem"), certificate.pem);
  writeFileSync(join(folder, "ca.key"), encodePrivateKey(key), { mode: 0o600 });
  writeFileSync(join(folder, "index.txt"), "R\t301124000000Z\t261124000000Z\tABCD\tunknown\t/CN=x\n");
  writeFileSync(join(folder, "crlnumber"), "01\n");
  writeFileSync(join(folder, "ca.cnf"), "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=7\n");
  openssl("ca", "-config", "ca.cnf", "-gencrl", "-cert", "ca.pem", "-keyfile", "ca.key", "-out", "theirs.pem");
  const [theirs] = parseRevocationLists(await Bun.file(join(folder, "theirs.pem")).text());
  expect([...(theirs?.serials ?? [])]).toEqual(["abcd"]);
  expect(theirs?.signedBy(createPublicKey(key))).toBe(true);
  expect((theirs?.nextUpdate ?? 0) - (theirs?.thisUpdate ?? 0)).toBe(7 * DAY);
});

test("bytes that are no list are refused", () => {
  const pem = (bytes: Uint8Array): string => `-----BEGIN X509 CRL-----\n${Buffer.from(bytes).toString("base64")}\n-----END X509 CRL-----\n`;
  expect(() => parseRevocationLists(pem(Uint8Array.of(0x30, 0)))).toThrow(expect.objectContaining({ code: "PKI_MALFORMED" }));
  expect(() => parseRevocationLists(pem(Uint8Array.of(0x30, 0x82, 1)))).toThrow(expect.objectContaining({ code: "PKI_MALFORMED" }));
});

function openssl(...args: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: folder, stdout: "pipe", stderr: "pipe" });
  if (!success) throw new Error(stderr.toString());
  return stdout.toString();
}
