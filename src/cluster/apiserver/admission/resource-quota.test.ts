import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const QUOTAS = "/api/v1/namespaces/default/resourcequotas";

beforeAll(async () => {
  api = await startTestServer();
  await api.call("POST", QUOTAS, { body: { metadata: { name: "few" }, spec: { hard: { "count/configmaps": "3" } } } });
});
afterAll(() => api.close());

const create = async (name: string): Promise<number> => (await api.call("POST", CONFIG_MAPS, { body: { metadata: { name } } })).status;

test("of many at once only as many come in as the quota allows, and what goes makes room at once", async () => {
  const statuses = await Promise.all(Array.from({ length: 12 }, (_, index) => create(`c${index}`)));
  expect(statuses.filter((status) => status === 201)).toHaveLength(3);
  expect(statuses.filter((status) => status === 403)).toHaveLength(9);
  await api.call("DELETE", `${CONFIG_MAPS}/c${statuses.indexOf(201)}`);
  expect(await create("next")).toBe(201);
  expect(await create("next")).not.toBe(201);
  expect(await create("another")).toBe(403);
});

test("the quota's status says what is used", async () => {
  for (const end = Date.now() + 3000; Date.now() < end; await Bun.sleep(50)) {
    const { body } = await api.call("GET", `${QUOTAS}/few`);
    if ((body as { status?: { used?: object } }).status?.used) break;
  }
  expect(((await api.call("GET", `${QUOTAS}/few`)).body as { status?: object }).status).toEqual({
    hard: { "count/configmaps": "3" },
    used: { "count/configmaps": "3" },
  });
});
