import { expect, test } from "bun:test";
import { generateKey, issueRoot } from "../../../pki/index.ts";
import { shareRoot } from "./rootca-compare.ts";

const root = async (organization: string): Promise<string> =>
  issueRoot({ key: await generateKey(), organization, now: Date.now(), lifetimeMs: 86_400_000 }).pem;

test("two proxies can trust each other when their bundles have a root in common", async () => {
  const [old, young, other] = await Promise.all([root("old"), root("young"), root("other")]);
  expect(shareRoot(old, old)).toBeTrue();
  // In the middle of a rotation one has both.
  expect(shareRoot(old + young, young)).toBeTrue();
  expect(shareRoot(old + young, other)).toBeFalse();
});

test("what is no certificate is told, and never taken for an equal one", () => {
  expect(() => shareRoot("", "")).toThrow("no PEM certificate");
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  expect(() => shareRoot(broken, broken)).toThrow("failed to parse certificate");
});
