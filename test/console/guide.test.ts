import { describe, expect, test } from "bun:test";
import { FakeClock } from "../../src/base/index.ts";
import { parseGuide, stepStates } from "../../src/console/guide/index.ts";
import type { ExecRequest } from "../../src/kube/index.ts";
import { labGuide } from "../../src/lab/index.ts";
import type { QueryClient, QuerySample } from "../../src/telemetry/index.ts";
import { STRICT, fakeConsole, fakeIstiod, fakeMesh } from "./fake-mesh.ts";

const GUIDE = parseGuide(JSON.parse(JSON.stringify(labGuide())));
const clock = new FakeClock(1_700_000_000_000);

/** A metrics store that tells what it was asked. */
function queries(answer: (query: string) => QuerySample[]): QueryClient & { asked: string[] } {
  const asked: string[] = [];
  return { asked, instant: async (query) => (asked.push(query), answer(query)), range: async () => [] };
}

const met = async (options: Parameters<typeof fakeMesh>[0], answer: (query: string) => QuerySample[], since = 0) =>
  (await stepStates(GUIDE, since, { mesh: fakeMesh(options), queries: queries(answer), now: clock.now() }))
    .filter((state) => state.met)
    .map(({ number }) => number);

describe("the workshop as a guide", () => {
  test("has its sixteen steps, each with a command and words of its own", () => {
    expect(GUIDE.steps.map(({ number }) => number)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
    for (const { command, text } of GUIDE.steps) expect([command.length > 0, text.length > 40]).toEqual([true, true]);
    expect(() => parseGuide({ ...GUIDE, steps: [{ ...GUIDE.steps[0], done: { kind: "always" } }] })).toThrow("steps[0].done.kind is none of");
  });

  test("nothing is done until the mesh shows it", async () => {
    const withoutSleep = fakeMesh()
      .pods()
      .filter((pod) => pod.metadata.namespace !== "default");
    expect(await met({ pods: withoutSleep }, () => [])).toEqual([1]);
    expect(await met({ pods: withoutSleep, policies: [STRICT] }, () => [])).toEqual([2]);
    expect(await met({ policies: [{ ...STRICT, spec: { mtls: { mode: "PERMISSIVE" } } }] }, () => [])).toEqual([4]);
    const refusal = (ip: string): QuerySample => ({ labels: { namespace: "istioinaction", pod: "web-api-7c9f8b6d5-x2k4p", source_ip: ip }, value: 1 });
    expect(await met({ policies: [STRICT] }, (query) => (query.includes("refused") ? [refusal("10.244.0.9")] : []))).toEqual([2, 4, 5]);
    expect(await met({ policies: [STRICT] }, (query) => (query.includes("refused") ? [refusal("10.244.0.5")] : []))).toEqual([2, 4]);
    expect(await met({ policies: [STRICT] }, (query) => (query.includes("istio_requests_total") ? [{ labels: {}, value: 9.4 }] : []))).toEqual([2, 4, 6, 8]);
    expect(await met({ policies: [STRICT] }, (query) => (query.includes("istio_requests_total") ? [{ labels: {}, value: 10 }] : []))).toEqual([2, 4, 6, 7, 8]);
  });

  test("who begins anew is not given what happened before", async () => {
    const store = queries(() => []);
    await stepStates(GUIDE, clock.now() / 1000 - 90, { mesh: fakeMesh(), queries: store, now: clock.now() });
    expect(store.asked.filter((query) => query.includes("[90s]")).length).toBeGreaterThanOrEqual(3);
  });
});

describe("running a step", () => {
  const calls: [string, string][] = [];
  const execs: ExecRequest[] = [];
  const handle = fakeConsole({
    webRoot: "/nowhere",
    guides: [GUIDE],
    istiod: {
      ...fakeIstiod(),
      changes: async () => [{ at: Date.now(), proxies: 7, unaffected: 1, applied: 6, refused: [], waiting: 0, milliseconds: 18 }],
      configDump: async () => ({
        configs: [
          {
            dynamicListeners: [
              {
                activeState: {
                  listener: {
                    name: "virtualInbound",
                    filterChains: [
                      { name: "a", filterChainMatch: { transportProtocol: "tls" } },
                      { name: "b", filterChainMatch: { transportProtocol: "raw_buffer" } },
                    ],
                  },
                },
              },
            ],
          },
        ],
      }),
    },
    own: async (path, init) => {
      calls.push(["own", `${init?.method ?? "GET"} ${path}`]);
      return Response.json({
        kind: "Table",
        columnDefinitions: [{ name: "Name" }, { name: "Mode" }, { name: "Wide", priority: 1 }, { name: "Age" }],
        rows: [{ cells: ["default", "STRICT", "x", "3s"], object: { metadata: { namespace: "istio-system" } } }],
      });
    },
    asUser: (token) => async (path, init) => {
      calls.push([token, `${init?.method ?? "GET"} ${path.replace(/\?.*/, "")}`]);
      return Response.json({}, { status: 201 });
    },
    execAs: () => async (request) => {
      execs.push(request);
      return { stdout: "", stderr: "curl: (56) Recv failure: Connection reset by peer\n", exitCode: 56 };
    },
  });
  const run = async (number: number, headers: Record<string, string> = { origin: "http://localhost" }) => {
    const answer = await handle(
      new Request(`http://localhost/kiali/api/guides/secure-communication/steps/${number}/run`, { method: "POST", headers: { host: "localhost", ...headers } }),
    );
    return { status: answer.status, body: (await answer.json()) as { output?: string; exitCode?: number; shown?: boolean; error?: string } };
  };
  const user = { authorization: "Bearer T" };

  test("reading needs nobody, and prints as kubectl does", async () => {
    expect(await run(3)).toEqual({
      status: 200,
      body: { output: "NAMESPACE      NAME      MODE     AGE\nistio-system   default   STRICT   3s\n", exitCode: 0, shown: true },
    });
    const last = await run(16);
    expect(last.body.output).toEndWith("plaintext chains (transport raw_buffer): 1\n");
    expect(last.body.shown).toBe(false);
    expect(calls).toEqual([["own", "GET /apis/security.istio.io/v1/peerauthentications"]]);
  });

  test("who is anonymous changes nothing and enters no pod", async () => {
    calls.length = 0;
    for (const number of [2, 4, 5, 6, 7, 9]) expect((await run(number)).status).toBe(401);
    expect([calls, execs]).toEqual([[], []]);
    expect((await run(8)).status).toBe(404);
  });

  test("a proxy's log level is set by who may enter its pod, and only to what is one", async () => {
    const set = async (level: string, headers: Record<string, string>) =>
      (
        await handle(
          new Request(`http://localhost/kiali/api/namespaces/istioinaction/pods/web-api-1/logging?level=${level}`, {
            method: "POST",
            headers: { host: "localhost", ...headers },
          }),
        )
      ).status;
    expect([await set("debug", { origin: "http://localhost" }), await set("loud", user)]).toEqual([401, 400]);
    expect(execs).toEqual([]);
    expect(await set("debug", user)).toBe(502); // The pods of this test answer everything with 56.
    expect(execs.splice(0)[0]).toMatchObject({
      pod: "web-api-1",
      container: "istio-proxy",
      command: ["pilot-agent", "request", "POST", "logging?level=debug"],
    });
  });

  test("with a token it is done with that token", async () => {
    calls.length = 0;
    expect((await run(2, user)).body.output).toBe("peerauthentication.security.istio.io/default created\napplied on 7 of 7 proxies in 18 ms\n");
    expect((await run(4, user)).body.output).toBe("serviceaccount/sleep created\nservice/sleep created\ndeployment.apps/sleep created\n");
    expect(calls).toEqual([
      ["T", "PATCH /apis/security.istio.io/v1/namespaces/istio-system/peerauthentications/default"],
      ["T", "PATCH /api/v1/namespaces/default/serviceaccounts/sleep"],
      ["T", "PATCH /api/v1/namespaces/default/services/sleep"],
      ["T", "PATCH /apis/apps/v1/namespaces/default/deployments/sleep"],
    ]);
    const refused = await run(5, user);
    expect(refused.body).toEqual({ output: "curl: (56) Recv failure: Connection reset by peer\ncommand terminated with exit code 56\n", exitCode: 56 });
    expect(execs[0]).toMatchObject({
      namespace: "default",
      pod: "sleep-7c9f8b6d5-x2k4p",
      container: "sleep",
      command: ["curl", "-sS", "http://web-api.istioinaction:8080/"],
    });
  });
});
