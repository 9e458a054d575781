import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../testing.ts";
import { AddressRange, PortRange } from "./ranges.ts";

let api: TestServer;
const SERVICES = "/api/v1/namespaces/default/services";

beforeAll(async () => {
  // Six addresses and four ports, so that they run out.
  api = await startTestServer({ serviceCidr: "10.96.0.0/28", nodePorts: { from: 30000, to: 30003 } });
});
afterAll(() => api.close());

interface Spec {
  clusterIP: string;
  ports: { port: number; nodePort?: number }[];
}
const create = (name: string, spec: object, query = "") =>
  api.call("POST", `${SERVICES}${query}`, { body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } } });
const specOf = ({ body }: { body: Record<string, unknown> }) => body.spec as Spec;
const remove = (name: string) => api.call("DELETE", `${SERVICES}/${name}`);

test("the API's own Service has the first address", async () => {
  expect(specOf(await api.call("GET", `${SERVICES}/kubernetes`))).toMatchObject({ clusterIP: "10.96.0.1", ports: [{ port: 443 }] });
});

test("a Service gets what it leaves out, and keeps it", async () => {
  const { body, status } = await create("plain", {});
  expect(status).toBe(201);
  expect(body).toMatchObject({
    spec: {
      type: "ClusterIP",
      sessionAffinity: "None",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      internalTrafficPolicy: "Cluster",
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    },
    status: { loadBalancer: {} },
  });
  const { clusterIP } = specOf({ body });
  const put = await api.call("PUT", `${SERVICES}/plain`, { body: { metadata: { name: "plain" }, spec: { ports: [{ port: 81 }] } } });
  expect(specOf(put)).toMatchObject({ clusterIP, ports: [{ port: 81 }] });
  const other = clusterIP === "10.96.0.9" ? "10.96.0.8" : "10.96.0.9";
  const moved = await api.call("PATCH", `${SERVICES}/plain`, {
    body: { spec: { clusterIP: other, clusterIPs: [other] } },
    type: "application/merge-patch+json",
  });
  expect(moved.body).toMatchObject({
    code: 422,
    message: `Service "plain" is invalid: spec.clusterIPs[0]: Invalid value: ["${other}"]: may not change once set`,
  });
  await remove("plain");
});

test("addresses asked for are honoured, refused when taken or outside, and freed by deletion", async () => {
  expect(specOf(await create("fixed", { clusterIP: "10.96.0.5" })).clusterIP).toBe("10.96.0.5");
  expect((await create("again", { clusterIP: "10.96.0.5" })).body.message).toBe(
    'Service "again" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.5"]: failed to allocate IP 10.96.0.5: provided IP is already allocated',
  );
  expect((await create("outside", { clusterIP: "1.2.3.4" })).body.message).toContain(
    "failed to allocate IP 1.2.3.4: the provided network does not match the current range",
  );
  await remove("fixed");
  expect((await create("again", { clusterIP: "10.96.0.5" })).status).toBe(201);
  await remove("again");
});

test("writes side by side never get the same, and a full range says so", async () => {
  const answers = await Promise.all(Array.from({ length: 13 }, (_, i) => create(`s${i}`, {})));
  const good = answers.filter(({ status }) => status === 201);
  expect(good).toHaveLength(13);
  expect(new Set(good.map((answer) => specOf(answer).clusterIP)).size).toBe(13);
  expect((await create("full", {})).body.message).toContain("failed to allocate a serviceIP: range is full");
  // One more that needs none.
  expect(specOf(await create("headless", { clusterIP: "None" })).clusterIP).toBe("None");
  for (let i = 0; i < 13; i++) await remove(`s${i}`);
  await remove("headless");
});

test("a dry run takes nothing", async () => {
  for (let i = 0; i < 20; i++) expect((await create("dry", {}, "?dryRun=All")).status).toBe(201);
});

test("node ports: given, unique, kept over updates, dropped with the type", async () => {
  const made = specOf(
    await create("np", {
      type: "NodePort",
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 81, nodePort: 30002 },
      ],
    }),
  );
  expect(made.ports[1]?.nodePort).toBe(30002);
  expect(made.ports[0]?.nodePort).toBeOneOf([30000, 30001, 30003]);
  expect((await create("taken", { type: "NodePort", ports: [{ port: 1, nodePort: 30002 }] })).body.message).toBe(
    'Service "taken" is invalid: spec.ports[0].nodePort: Invalid value: 30002: provided port is already allocated',
  );
  expect((await create("range", { type: "NodePort", ports: [{ port: 1, nodePort: 80 }] })).body.message).toContain("The range of valid ports is 30000-30003");
  const put = specOf(
    await api.call("PUT", `${SERVICES}/np`, {
      body: {
        metadata: { name: "np" },
        spec: {
          type: "NodePort",
          ports: [
            { name: "a", port: 80 },
            { name: "b", port: 81 },
          ],
        },
      },
    }),
  );
  expect(put.ports).toMatchObject(made.ports);
  const plain = await api.call("PATCH", `${SERVICES}/np`, { body: { spec: { type: "ClusterIP" } }, type: "application/merge-patch+json" });
  expect(specOf(plain).ports.map(({ nodePort }) => nodePort)).toEqual([undefined, undefined]);
  expect((await create("np2", { type: "NodePort", ports: [{ port: 1, nodePort: 30002 }] })).status).toBe(201);
  await remove("np2");
});

test("TCP and UDP of one port share a node port", async () => {
  const { ports } = specOf(
    await create("dns", {
      type: "LoadBalancer",
      ports: [
        { name: "u", port: 53, protocol: "UDP" },
        { name: "t", port: 53, protocol: "TCP" },
      ],
    }),
  );
  expect(ports[0]?.nodePort).toBe(ports[1]?.nodePort as number);
});

test("ranges leave their lowest to those who ask", () => {
  const range = new AddressRange("10.96.0.0/16");
  const chosen = range.pick(
    () => new Uint8Array(4),
    () => false,
  );
  expect([range.first, chosen]).toEqual(["10.96.0.1", "10.96.1.0"]);
  expect(["10.96.0.0", "10.96.255.255", "10.97.0.1", "x"].map((address) => range.includes(address))).toEqual([false, false, false, false]);
  expect(
    new PortRange(30000, 32767).pick(
      () => new Uint8Array(4),
      () => false,
    ),
  ).toBe(30086);
  expect(() => new AddressRange("10.96.0.0/40")).toThrow("no range of IPv4 addresses");
});
