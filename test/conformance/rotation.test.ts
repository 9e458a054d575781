import type { KeyObject } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { encodePrivateKey, generateKey, issueRevocationList, issueRoot, type Certificate } from "../../src/pki/index.ts";
import { EnvoyCluster, eventually, reasonToSkip } from "./cluster.ts";
import { NAMESPACES, OBJECTS, OURS, PLAIN, THEIRS } from "./world.ts";

const SKIP = reasonToSkip();
const STRICT = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n";

/** Every request on a connection of its own: each is a handshake. */
const FRESH = [OURS, THEIRS]
  .map(
    (namespace) =>
      `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: ${namespace}, namespace: istio-system}\nspec: {host: web.${namespace}.svc.cluster.local, trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}}\n`,
  )
  .join("");
const CALLS = `for i in 1 2 3 4 5; do for ns in ${OURS} ${THEIRS}; do curl -s -m 5 -o /dev/null -w '%{http_code} ' http://web.$ns:8080/ || true; done; done`;

describe.skipIf(SKIP !== undefined)(`the mesh's root is replaced under traffic${SKIP ? ` (skipped: ${SKIP})` : ""}`, () => {
  let cluster: EnvoyCluster;
  let rootKey: KeyObject;
  let root: Certificate;

  beforeAll(async () => {
    rootKey = await generateKey();
    root = issueRoot({ key: rootKey, organization: "second root", signsRevocationLists: true, now: Date.now() - 60_000, lifetimeMs: 1_000 * 86_400_000 });
    cluster = await EnvoyCluster.start("rotation");
    await cluster.must("kubectl apply -f -", `${NAMESPACES}---\n${STRICT}${FRESH}`);
    for (const [namespace, steps] of Object.entries(OBJECTS)) for (const objects of steps) await cluster.must(`kubectl apply -n ${namespace} -f -`, objects);
    for (const namespace of [OURS, THEIRS, PLAIN])
      await cluster.must(
        `kubectl rollout status -n ${namespace} deploy/web --timeout=60s && kubectl rollout status -n ${namespace} deploy/sleep --timeout=60s`,
      );
  }, 120_000);
  afterAll(() => cluster?.stop(), 60_000);

  const rootz = async (): Promise<{ signing: { subject: string }; spreading?: unknown; retired: { remaining: number }[] }> =>
    JSON.parse(await cluster.must("kubectl exec -n istio-system deploy/istiod -- curl -s localhost:15014/debug/rootz")) as never;
  const roots = async (): Promise<number> =>
    (await cluster.must("kubectl get cm istio-ca-root-cert -n ours -o jsonpath='{.data.root-cert\\.pem}'")).split("BEGIN CERTIFICATE").length - 1;
  const certificate = (namespace: string, deployment: string, what: string): Promise<string> =>
    cluster.must(
      `istioctl proxy-config secret deploy/${deployment} -n ${namespace} -o json | jq -r '[.dynamicActiveSecrets[] | select(.name == "default")][0].secret.tlsCertificate.certificateChain.inlineBytes' | base64 -d | openssl x509 -noout ${what}`,
    );
  const plugIn = async (crl = ""): Promise<void> => {
    const files = {
      "ca-cert.pem": root.pem,
      "ca-key.pem": encodePrivateKey(rootKey),
      "root-cert.pem": root.pem,
      "cert-chain.pem": root.pem,
      "ca-crl.pem": crl,
    };
    await cluster.must(
      "kubectl apply -f -",
      JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name: "cacerts", namespace: "istio-system" }, stringData: files }),
    );
  };

  test("no request fails from the first step to the last, and the old root goes when nobody needs it", async () => {
    await plugIn();
    const codes: Record<string, number> = {};
    let over = false;
    const traffic = [OURS, THEIRS].map(async (namespace) => {
      while (!over)
        for (const code of (await cluster.must(`kubectl exec -i -n ${namespace} deploy/sleep -c sleep -- sh`, CALLS)).trim().split(" "))
          codes[code] = (codes[code] ?? 0) + 1;
    });
    try {
      await eventually(async () => expect(await roots()).toBe(2), 20_000);
      await eventually(async () => expect((await rootz()).signing.subject).toBe("O = second root"), 20_000);
      expect((await rootz()).retired).toHaveLength(1);
      await eventually(async () => expect(await roots()).toBe(1), 90_000);
    } finally {
      over = true;
      await Promise.all(traffic);
    }
    expect(Object.keys(codes)).toEqual(["200"]);
    expect(codes["200"]).toBeGreaterThan(100);
    for (const namespace of [OURS, THEIRS]) expect(await certificate(namespace, "web", "-issuer")).toMatch(/O ?= ?second root/);
    expect((await rootz()).retired).toEqual([]);
  }, 180_000);

  test("a certificate that the operator revokes opens no connection, through either proxy; others do", async () => {
    const call = (from: string, to: string): Promise<string> =>
      cluster.must(`kubectl exec -n ${from} deploy/sleep -c sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://web.${to}:8080/`);
    const serial = /serial=([0-9A-F]+)/.exec(await certificate(OURS, "sleep", "-serial"))?.[1]?.toLowerCase() ?? "";
    await plugIn(issueRevocationList({ signer: { certificate: root, key: rootKey }, serials: [serial], now: Date.now() - 60_000, lifetimeMs: 86_400_000 }).pem);
    await eventually(async () => {
      for (const to of [OURS, THEIRS]) expect(await call(OURS, to)).toBe("503");
    }, 30_000);
    for (const to of [OURS, THEIRS]) expect(await call(THEIRS, to)).toBe("200");
    await plugIn();
    await eventually(async () => {
      for (const to of [OURS, THEIRS]) expect(await call(OURS, to)).toBe("200");
    }, 30_000);
  }, 120_000);
});
