import { describe, expect, test } from "bun:test";
import { ChainmailError } from "../../src/base/index.ts";
import type { Istiod } from "../../src/console/server/istiod.ts";
import type { QueryClient } from "../../src/telemetry/index.ts";
import { STRICT, fakeConsole, fakeIstiod, fakeMesh } from "./fake-mesh.ts";

const fail = (code: string, message: string) => async (): Promise<never> => {
  throw new ChainmailError(code, message, { hint: "kubectl get pods" });
};
const lost = fail("METRICS_UNREACHABLE", "the metrics store does not answer");
const QUERIES: QueryClient = { instant: lost, range: lost };
const closed = fail("ISTIOD_UNREACHABLE", "istiod does not answer");
const ISTIOD: Istiod = { ...fakeIstiod(), syncz: closed, version: closed, configDump: closed, changes: closed };

async function ask(handle: ReturnType<typeof fakeConsole>, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await handle(new Request(`http://localhost/kiali/api${path}`, { headers: { host: "localhost" } }));
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe("without the metrics store", () => {
  const handle = fakeConsole({ webRoot: "/nowhere", mesh: fakeMesh({ policies: [STRICT] }), queries: QUERIES });

  test.each([
    "/clusters/workloads?health=true",
    "/clusters/services?health=true",
    "/clusters/apps?health=true",
    "/namespaces/istioinaction/workloads/web-api",
    "/namespaces/istioinaction/services/web-api",
    "/namespaces/istioinaction/apps/web-api",
    "/overview",
  ])("%s tells what runs, and why it knows no more", async (path) => {
    const { status, body } = await ask(handle, path);
    expect([status, body.metricsProblem]).toEqual([200, "the metrics store does not answer"]);
    expect(JSON.stringify(body)).toContain("istioinaction");
    expect(JSON.stringify(body)).not.toContain("Failure");
  });

  test("what is made of metrics alone says so, with what to do", async () => {
    for (const path of ["/graph", "/namespaces/graph?namespaces=istioinaction", "/namespaces/istioinaction/workloads/web-api/dashboard"])
      expect(await ask(handle, path)).toEqual({ status: 503, body: { error: "the metrics store does not answer", detail: "kubectl get pods" } });
  });

  test("a preview names what it could not look at", async () => {
    const open = fakeConsole({ webRoot: "/nowhere", mesh: fakeMesh(), queries: QUERIES });
    expect((await ask(open, "/security/preview?level=mesh&mode=STRICT")).body).toMatchObject({
      refused: [],
      gaps: ["metrics: the metrics store does not answer"],
    });
  });
});

describe("without istiod", () => {
  const handle = fakeConsole({ webRoot: "/nowhere", mesh: fakeMesh({ policies: [STRICT] }), istiod: ISTIOD });

  test("pods and proxies are told of, their state of sync is not", async () => {
    expect((await ask(handle, "/mesh")).body).toMatchObject({ istiod: { problem: "istiod does not answer" } });
    expect((await ask(handle, "/namespaces/istioinaction/workloads/web-api")).body).toMatchObject({ pods: [{ proxyStatus: null, ready: true }] });
    expect((await ask(handle, "/namespaces/istioinaction/pods/web-api-7c9f8b6d5-x2k4p/config_dump/tables")).status).toBe(503);
  });
});

test("what is not there is named", async () => {
  const handle = fakeConsole({ webRoot: "/nowhere" });
  for (const path of ["/namespaces/gone/workloads/web-api", "/namespaces/istioinaction/services/gone", "/namespaces/gone/apps/web-api", "/guides/gone"]) {
    const { status, body } = await ask(handle, path);
    expect([status, String(body.error)]).toEqual([404, expect.stringContaining("gone")]);
  }
});
