import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startTestServer, type TestServer } from "../../src/cluster/apiserver/testing.ts";
import { buildWebApp } from "../../src/console/build.ts";
import type { UserTransport } from "../../src/console/server/writes.ts";
import { istioCrds } from "../../src/resources/index.ts";
import { CHROMIUM, launchBrowser } from "./browser.ts";
import { fakeConsole } from "./fake-mesh.ts";

const STRICT = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\nspec:\n  mtls:\n    mode: STRICT\n";
const POLICIES = "/namespaces/team-a/istio/security.istio.io/v1/PeerAuthentication";
const USERS: Record<string, { username: string; groups: string[] }> = {
  "admin-token": { username: "ann", groups: ["system:masters", "system:authenticated"] },
  "reader-token": { username: "rob", groups: ["system:authenticated"] },
};

describe("who writes", () => {
  let api: TestServer;
  let handle: ReturnType<typeof fakeConsole>;

  beforeAll(async () => {
    api = await startTestServer();
    for (const crd of istioCrds()) await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd });
    await api.call("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-a" } } });
    handle = fakeConsole({
      webRoot: "/nowhere",
      asUser: (token) => (path, init) => {
        const user = USERS[token];
        return user
          ? api.server.transport("test", user)(path, init)
          : Promise.resolve(Response.json({ kind: "Status", message: "Unauthorized" }, { status: 401 }));
      },
    });
  });
  afterAll(() => api.close());

  interface Call {
    body?: string;
    headers?: Record<string, string>;
  }
  const call = (method: string, path: string, { body, headers = {} }: Call = {}) =>
    handle(
      new Request(`http://localhost:20001/kiali/api${path}`, {
        method,
        headers: { host: "localhost:20001", origin: "http://localhost:20001", ...headers },
        ...(body !== undefined && { body }),
      }),
    );
  const signIn = async (token: string) => {
    const response = await call("POST", "/authenticate", {
      body: new URLSearchParams({ token }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(response.status).toBe(200);
    const cookie = response.headers.get("set-cookie")!;
    const { csrf, username } = (await response.json()) as { csrf: string; username: string };
    return { cookie, username, headers: { cookie: cookie.split(";")[0]!, "x-csrf-token": csrf } };
  };
  const stored = () => api.call("GET", "/apis/security.istio.io/v1/namespaces/team-a/peerauthentications/default");

  test("a token that the API server does not know begins no session", async () => {
    const response = await call("POST", "/authenticate", { body: "token=made-up", headers: { "content-type": "application/x-www-form-urlencoded" } });
    expect([response.status, response.headers.get("set-cookie")]).toEqual([401, null]);
    expect((await call("POST", "/authenticate", { body: "" })).status).toBe(400);
  });

  test("a session: its cookie is out of reach of scripts and other sites, its token is in no answer", async () => {
    const { cookie, username, headers } = await signIn("admin-token");
    expect(username).toBe("ann");
    expect(cookie).toMatch(/^chainmail-session=[\w-]{43}; Path=\/kiali; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    const info = await (await call("GET", "/auth/info", { headers })).text();
    expect([info.includes("ann"), info.includes("admin-token")]).toEqual([true, false]);
    await call("POST", "/logout", { headers });
    expect(await (await call("GET", "/auth/info", { headers })).json()).toMatchObject({ sessionInfo: { username: "anonymous" } });
    expect((await call("POST", POLICIES, { body: STRICT, headers })).status).toBe(401);
  });

  test("dry run, create, change, patch, delete, each with the user's own rights", async () => {
    const { headers } = await signIn("admin-token");
    expect((await call("POST", `${POLICIES}?dryRun=All`, { body: STRICT, headers })).status).toBe(200);
    expect((await stored()).status).toBe(404);
    expect((await call("POST", POLICIES, { body: STRICT, headers })).status).toBe(200);
    expect((await stored()).body).toMatchObject({ metadata: { namespace: "team-a" }, spec: { mtls: { mode: "STRICT" } } });
    const version = ((await stored()).body.metadata as { resourceVersion: string }).resourceVersion;
    const changed = STRICT.replace("STRICT", "PERMISSIVE").replace("  name: default", `  name: default\n  resourceVersion: "${version}"`);
    expect((await call("PUT", `${POLICIES}/default`, { body: changed, headers })).status).toBe(200);
    const late = await call("PUT", `${POLICIES}/default`, { body: changed, headers });
    expect([late.status, ((await late.json()) as { error: string }).error]).toEqual([409, expect.stringContaining("the object has been modified")]);
    expect((await call("PATCH", `${POLICIES}/default`, { body: '{"spec":{"mtls":{"mode":"DISABLE"}}}', headers })).status).toBe(200);
    expect((await stored()).body).toMatchObject({ spec: { mtls: { mode: "DISABLE" } } });
    expect((await call("DELETE", `${POLICIES}/default`, { headers })).status).toBe(200);
    expect((await stored()).status).toBe(404);
  });

  test("who may not, may not here either; what the API server says is shown", async () => {
    const { headers } = await signIn("reader-token");
    const refused = await call("POST", POLICIES, { body: STRICT, headers });
    expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
      403,
      expect.stringContaining('User "rob" cannot create resource "peerauthentications"'),
    ]);
    const ann = await signIn("admin-token");
    const wrong = await call("POST", POLICIES, { body: STRICT.replace("mode:", "mod:"), headers: ann.headers });
    expect([wrong.status, ((await wrong.json()) as { error: string }).error]).toEqual([400, expect.stringContaining('unknown field "spec.mtls.mod"')]);
  });

  test("anonymous, without the page's token, from another site, under another name: nothing is written", async () => {
    const { headers } = await signIn("admin-token");
    const { cookie } = headers;
    const tries: [number, Call][] = [
      [401, {}],
      [401, { headers: { cookie: "chainmail-session=guess", "x-csrf-token": "guess" } }],
      [403, { headers: { cookie } }],
      [403, { headers: { cookie, "x-csrf-token": "x".repeat(43) } }],
      [403, { headers: { ...headers, origin: "http://evil.example" } }],
      [403, { headers: { ...headers, origin: "null" } }],
      [421, { headers: { ...headers, host: "evil.example", origin: "http://evil.example" } }],
    ];
    for (const [status, more] of tries) expect([(await call("POST", POLICIES, { body: STRICT, ...more })).status, more]).toEqual([status, more]);
    expect((await stored()).status).toBe(404);
  });

  test("a script brings its own token and needs no session", async () => {
    const script = (token: string, body: string) =>
      handle(
        new Request(`http://localhost:20001/kiali/api${POLICIES}?dryRun=All`, {
          method: "POST",
          headers: { host: "localhost:20001", authorization: `Bearer ${token}` },
          body,
        }),
      );
    expect((await script("admin-token", STRICT)).status).toBe(200);
    expect((await script("reader-token", STRICT)).status).toBe(403);
    expect((await script("made-up", STRICT)).status).toBe(401);
  });

  test("only Istio's objects, only the one that the path names, only plain YAML of bounded size", async () => {
    const { headers } = await signIn("admin-token");
    const secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n";
    const tries: [number, string, string, string][] = [
      [405, "POST", "/namespaces/team-a/istio/v1/v1/Secret", secret],
      [405, "POST", "/namespaces/team-a/secrets", secret],
      [400, "POST", POLICIES, secret],
      [400, "POST", POLICIES, STRICT.replace("  name: default", "  name: default\n  namespace: istio-system")],
      [400, "PUT", `${POLICIES}/other`, STRICT],
      [400, "POST", POLICIES, "a: [1\n"],
      [400, "POST", POLICIES, "a: &x [1]\nb: [*x, *x, *x]\n"],
      [400, "POST", POLICIES, "just words"],
      [413, "POST", POLICIES, `${STRICT}# ${"x".repeat(1_600_000)}\n`],
      [404, "DELETE", `${POLICIES}/..%2F..%2Fsecrets`, ""],
    ];
    for (const [status, method, path, body] of tries)
      expect([(await call(method, path, { body, headers })).status, path, body.slice(0, 40)]).toEqual([status, path, body.slice(0, 40)]);
  });
});

describe.if(CHROMIUM !== undefined)("a person who writes", () => {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-console-"));
  let api: TestServer;
  let browser: Browser;
  let server: ReturnType<typeof Bun.serve>;

  beforeAll(async () => {
    await buildWebApp(folder);
    api = await startTestServer();
    for (const crd of istioCrds()) await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd });
    await api.call("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "istioinaction" } } });
    const asUser: UserTransport = (token) => (path, init) =>
      token === "admin-token" ? api.server.transport("test", USERS[token])(path, init) : Promise.resolve(Response.json({}, { status: 401 }));
    server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 60, fetch: fakeConsole({ webRoot: folder, asUser }) });
    browser = await launchBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop(true);
    await api?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("answers a wizard, signs in, sees what would come of it, and applies it", async () => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${server.port}/kiali/istio/new?what=authorization`);
    await page.locator("label", { hasText: /^For/ }).locator("select").selectOption("istioinaction/web-api");
    await page.getByLabel("callers in namespaces").fill("istio-system");
    const editor = page.getByLabel("Manifest of the AuthorizationPolicy");
    expect(await editor.inputValue()).toContain("app: web-api");
    // What may stand at the cursor is offered, with what it is for, and typed by a click.
    await editor.press("Control+End");
    await editor.pressSequentially("  prov");
    await page.getByText("The extension that decides, with CUSTOM.").waitFor();
    await page.getByRole("button", { name: /^provider/ }).click();
    expect(await editor.inputValue()).toContain("\n  provider:\n    ");
    await page.getByLabel("methods").fill("GET");
    await page.getByRole("button", { name: "Sign in to apply it" }).click();
    await page.getByLabel("Token").fill("wrong");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Token").fill("admin-token");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Check" }).click();
    await page.locator(".diff-added", { hasText: "kind: AuthorizationPolicy" }).waitFor();
    await page.getByText("It is for web-api.istioinaction").waitFor();
    const path = "/apis/security.istio.io/v1/namespaces/istioinaction/authorizationpolicies/web-api-allow";
    expect((await api.call("GET", path)).status).toBe(404);
    await page.getByRole("button", { name: "Apply" }).click();
    await page.waitForURL(/AuthorizationPolicy\/web-api-allow/);
    expect((await api.call("GET", path)).body).toMatchObject({
      spec: {
        action: "ALLOW",
        selector: { matchLabels: { app: "web-api" } },
        rules: [{ from: [{ source: { namespaces: ["istio-system"] } }], to: [{ operation: { methods: ["GET"] } }] }],
      },
    });
    expect(complaints).toEqual([]);
    await page.close();
  }, 30_000);
});
