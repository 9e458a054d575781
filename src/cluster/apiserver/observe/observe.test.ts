import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "chainmail-audit-"));
  api = await startTestServer({ auditLog: join(folder, "audit.log") });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
});

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

test("health: plain, verbose, single checks, exclusions", async () => {
  const [plain, verbose, one, unknown, excluded] = await Promise.all(
    ["/healthz", "/readyz?verbose", "/livez/etcd", "/livez/shutdown", "/livez?verbose&exclude=etcd"].map((path) => api.call("GET", path)),
  );
  expect(plain?.text).toBe("ok");
  expect(verbose?.text).toBe("[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]poststarthook/rbac/bootstrap-roles ok\n[+]shutdown ok\nreadyz check passed\n");
  expect([one?.text, unknown?.status]).toEqual(["ok", 404]);
  expect(excluded?.text).toContain("[+]etcd excluded: ok\n");
});

test("metrics count requests by verb, resource and code; made-up names are no labels", async () => {
  await api.call("POST", CONFIG_MAPS, { body: { metadata: { name: "m" } } });
  await api.call("GET", `${CONFIG_MAPS}/none`);
  await api.call("GET", "/apis/made.up/v1/things");
  const { text, headers } = await api.call("GET", "/metrics");
  expect(headers.get("content-type")).toContain("text/plain");
  expect(text).toContain(
    'apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="CREATE",version="v1"} 1\n',
  );
  expect(text).toContain(
    'apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="GET",version="v1"} 1\n',
  );
  expect(text).toContain('apiserver_storage_objects{resource="configmaps"} 1\n');
  expect(text).not.toContain("made.up");
  const count = /apiserver_request_duration_seconds_bucket\{[^}]*resource="configmaps"[^}]*verb="CREATE"[^}]*le="\+Inf"\} (\d+)/.exec(text)?.[1];
  expect(count).toBe("1");
});

test("audit events say who did what, refused or not, and never what was in it", async () => {
  const robot = { username: "robot", groups: ["system:authenticated"] };
  await api.call("POST", "/api/v1/namespaces/default/secrets", { body: { metadata: { name: "s" }, stringData: { k: "geheim" } } });
  await api.call("DELETE", "/api/v1/namespaces/default/secrets/s", { user: robot });
  await api.close();
  const path = join(folder, "audit.log");
  const text = readFileSync(path, "utf8");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(text).not.toContain("geheim");
  const events = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { verb: string; objectRef?: { resource: string }; responseStatus: { code: number }; user: { username: string } });
  expect(events.filter(({ objectRef }) => objectRef?.resource === "secrets")).toMatchObject([
    {
      apiVersion: "audit.k8s.io/v1",
      verb: "create",
      requestURI: "/api/v1/namespaces/default/secrets",
      objectRef: { namespace: "default" },
      responseStatus: { code: 201 },
      stage: "ResponseComplete",
    },
    {
      verb: "delete",
      user: { username: "robot" },
      objectRef: { name: "s" },
      responseStatus: { code: 403, status: "Failure", message: expect.stringContaining('User "robot" cannot delete') },
    },
  ]);
});
