import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CALLS, parse, scriptFor, type Call, type Seen } from "./calls.ts";
import { CASES, TOKEN } from "./cases.ts";
import { EnvoyCluster, reasonToSkip } from "./cluster.ts";
import { NAMESPACES, OBJECTS, OURS, PLAIN, THEIRS } from "./world.ts";

const SKIP = reasonToSkip();
/** A policy reaches the proxies in milliseconds; Envoy's connections of before end after the drain time of one second. */
const SETTLE_MS = 2_500;

describe.skipIf(SKIP !== undefined)(`policies through our proxy and through Envoy${SKIP ? ` (skipped: ${SKIP})` : ""}`, () => {
  let cluster: EnvoyCluster;

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("conformance");
    await cluster.must("kubectl apply -f -", NAMESPACES);
    for (const [namespace, steps] of Object.entries(OBJECTS)) for (const objects of steps) await cluster.must(`kubectl apply -n ${namespace} -f -`, objects);
    for (const namespace of [OURS, THEIRS, PLAIN])
      await cluster.must(
        `kubectl rollout status -n ${namespace} deploy/web --timeout=60s && kubectl rollout status -n ${namespace} deploy/sleep --timeout=60s`,
      );
  }, 120_000);
  afterAll(() => cluster?.stop(), 60_000);

  test("each namespace has the proxy that it is named after", async () => {
    const server = async (namespace: string): Promise<string> =>
      cluster.must(`kubectl exec -n ${namespace} deploy/web -c istio-proxy -- pilot-agent request GET server_info`);
    expect(await server(THEIRS)).toContain("/Clean/RELEASE/BoringSSL");
    expect(await server(OURS)).toContain("chainmail");
  });

  for (const { name, objects, expected } of CASES) {
    test(
      name,
      async () => {
        for (const namespace of [OURS, THEIRS]) await cluster.must(`kubectl apply -n ${namespace} -f -`, objects);
        try {
          await Bun.sleep(SETTLE_MS);
          const [ours, theirs] = [await callAll(OURS), await callAll(THEIRS)];
          expect(ours).toEqual(theirs);
          for (const [call, wanted] of Object.entries(expected)) expect(`${call}: ${short(theirs[call], wanted)}`).toBe(`${call}: ${wanted}`);
          await refusedNothing();
        } finally {
          for (const namespace of [OURS, THEIRS]) await cluster.must(`kubectl delete -n ${namespace} -f - --ignore-not-found`, objects);
        }
      },
      60_000,
    );
  }

  test("the two call each other over mutual TLS, and each sees who calls", async () => {
    await cluster.must(
      `kubectl apply -n istio-system -f -`,
      "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: STRICT}}\n",
    );
    await Bun.sleep(SETTLE_MS);
    for (const [from, to] of [
      [OURS, THEIRS],
      [THEIRS, OURS],
    ]) {
      expect(await cluster.must(`kubectl exec -n ${from} deploy/sleep -c sleep -- curl -s -o /dev/null -w %{http_code} http://web.${to}:8080/`)).toBe("200");
      await Bun.sleep(500);
      const metrics = await cluster.must(`kubectl exec -n ${to} deploy/web -c istio-proxy -- pilot-agent request --debug-port=15020 GET stats/prometheus`);
      const seen = metrics
        .split("\n")
        .filter((line) => line.startsWith("istio_requests_total") && line.includes(`source_principal="spiffe://cluster.local/ns/${from}/sa/sleep"`));
      expect(seen.length).toBeGreaterThan(0);
      expect(seen[0]).toContain('connection_security_policy="mutual_tls"');
      expect(seen[0]).toContain(`destination_principal="spiffe://cluster.local/ns/${to}/sa/web"`);
    }
    await cluster.must("kubectl delete peerauthentication default -n istio-system");
  }, 60_000);

  async function callAll(namespace: string): Promise<Record<string, Seen>> {
    const results: Record<string, Seen> = {};
    for (const from of ["mesh", "plain"] as const) {
      const calls = CALLS.filter((call) => call.from === from);
      const client = from === "plain" ? PLAIN : namespace;
      const output = await cluster.must(`kubectl exec -i -n ${client} deploy/sleep -c sleep -- sh`, scriptFor(calls, namespace, TOKEN));
      parse(output).forEach((seen, index) => {
        const call = calls[index] as Call;
        results[call.name] = comparable(call, seen);
      });
    }
    return results;
  }

  /** Envoy has taken all that it was sent. */
  async function refusedNothing(): Promise<void> {
    for (const workload of ["web", "sleep"]) {
      const request = (path: string): Promise<string> =>
        cluster.must(`kubectl exec -n ${THEIRS} deploy/${workload} -c istio-proxy -- pilot-agent request GET '${path}'`);
      const rejected = (await request("stats?filter=update_rejected")).split("\n").filter((line) => /: [1-9]/.test(line));
      expect(rejected).toEqual([]);
      expect(await request("config_dump?include_eds")).not.toContain('"error_state"');
    }
  }
});

/** TLS libraries notice a refused handshake at different moments, which curl reports by different codes. */
function comparable({ curl }: Call, seen: Seen): Seen {
  return curl.includes("https:") && [16, 55, 56].includes(seen.exit) ? { ...seen, exit: 35 } : seen;
}

function short(seen: Seen | undefined, like: string): string {
  const status = String(seen?.status ?? 0).padStart(3, "0");
  return like.includes("/") ? `${status}/${seen?.exit}` : status;
}
