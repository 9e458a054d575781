import { describe, expect, test } from "bun:test";
import type { EndpointSlice, Service } from "../../../resources/index.ts";
import { resolve, type Resolution } from "./resolve.ts";
import { emptyZone, setService, zoneService } from "./zone.ts";

const zone = emptyZone("cluster.local");
function add(name: string, spec: NonNullable<Service["spec"]>, endpoints: EndpointSlice["endpoints"] = [], ports: EndpointSlice["ports"] = []): void {
  const metadata = { name, namespace: "shop" };
  const slice: EndpointSlice = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, addressType: "IPv4", endpoints, ports };
  setService(zone, "shop", name, zoneService({ apiVersion: "v1", kind: "Service", metadata, spec }, [slice]));
}
add(
  "web",
  {
    clusterIP: "10.96.0.20",
    ports: [
      { name: "http", port: 80 },
      { name: "dns", port: 53, protocol: "UDP" },
    ],
  },
  [{ addresses: ["10.244.0.2"] }],
  [{ name: "http", port: 8080 }],
);
add(
  "db",
  { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] },
  [{ addresses: ["10.244.0.5"], hostname: "db-0" }, { addresses: ["10.244.0.6"] }, { addresses: ["10.244.0.7"], conditions: { ready: false } }],
  [{ name: "sql", port: 5432 }],
);
add("empty", { clusterIP: "None" });
add("alias", { type: "ExternalName", externalName: "web.shop.svc.cluster.local" });
add("abroad", { type: "ExternalName", externalName: "example.test" });
add("circle", { type: "ExternalName", externalName: "circle.shop.svc.cluster.local" });

const ask = (name: string, type = "A"): Resolution => resolve({ name, type }, zone);
/** rcode and the answers' data. */
function outcome(name: string, type = "A"): [string, unknown[]] {
  const found = ask(name, type);
  return found.kind === "answer"
    ? [found.rcode, found.answers.map((answer) => ("data" in answer ? answer.data : answer))]
    : [found.kind, "answers" in found ? found.answers : []];
}

describe("cluster DNS", () => {
  test.each([
    ["web.shop.svc.cluster.local", "A", "NOERROR", ["10.96.0.20"]],
    ["WEB.Shop.svc.cluster.LOCAL.", "A", "NOERROR", ["10.96.0.20"]],
    ["db.shop.svc.cluster.local", "A", "NOERROR", ["10.244.0.5", "10.244.0.6"]],
    ["db-0.db.shop.svc.cluster.local", "A", "NOERROR", ["10.244.0.5"]],
    ["10-244-0-6.db.shop.svc.cluster.local", "A", "NOERROR", ["10.244.0.6"]],
    ["10-244-0-2.web.shop.svc.cluster.local", "A", "NOERROR", ["10.244.0.2"]],
    ["10-244-0-9.shop.pod.cluster.local", "A", "NOERROR", ["10.244.0.9"]],
    ["alias.shop.svc.cluster.local", "A", "NOERROR", ["web.shop.svc.cluster.local", "10.96.0.20"]],
    ["alias.shop.svc.cluster.local", "CNAME", "NOERROR", ["web.shop.svc.cluster.local"]],
    ["20.0.96.10.in-addr.arpa", "PTR", "NOERROR", ["web.shop.svc.cluster.local"]],
    ["5.0.244.10.in-addr.arpa", "PTR", "NOERROR", ["db-0.db.shop.svc.cluster.local"]],
    ["cluster.local", "NS", "NOERROR", ["ns.dns.cluster.local"]],
    // The name exists, without such a record.
    ["web.shop.svc.cluster.local", "AAAA", "NOERROR", []],
    ["web.shop.svc.cluster.local", "MX", "NOERROR", []],
    ["shop.svc.cluster.local", "A", "NOERROR", []],
    ["svc.cluster.local", "A", "NOERROR", []],
    ["_tcp.web.shop.svc.cluster.local", "SRV", "NOERROR", []],
    // The name does not exist.
    ["nope.shop.svc.cluster.local", "A", "NXDOMAIN", []],
    ["web.elsewhere.svc.cluster.local", "AAAA", "NXDOMAIN", []],
    ["empty.shop.svc.cluster.local", "A", "NXDOMAIN", []],
    ["db-9.db.shop.svc.cluster.local", "A", "NXDOMAIN", []],
    ["a.b.db.shop.svc.cluster.local", "A", "NXDOMAIN", []],
    ["example.test.shop.svc.cluster.local", "A", "NXDOMAIN", []],
    ["nothing.cluster.local", "A", "NXDOMAIN", []],
    ["_http._udp.web.shop.svc.cluster.local", "SRV", "NXDOMAIN", []],
    ["circle.shop.svc.cluster.local", "AAAA", "NXDOMAIN", Array<string>(8).fill("circle.shop.svc.cluster.local")],
    // Not ours.
    ["example.test", "A", "forward", []],
    ["notcluster.local", "A", "forward", []],
    ["1.2.0.192.in-addr.arpa", "PTR", "forward", []],
  ])("%s %s is %s", (name, type, rcode, data) => {
    expect(outcome(name, type)).toEqual([rcode, data]);
  });

  test("SRV of a ClusterIP service names the service, with its address beside", () => {
    const found = ask("_http._tcp.web.shop.svc.cluster.local", "SRV");
    expect(found).toMatchObject({
      answers: [{ type: "SRV", data: { target: "web.shop.svc.cluster.local", port: 80 } }],
      additionals: [{ type: "A", name: "web.shop.svc.cluster.local", data: "10.96.0.20" }],
    });
  });

  test("SRV of a headless service names each endpoint", () => {
    const found = ask("_sql._tcp.db.shop.svc.cluster.local", "SRV");
    expect(found).toMatchObject({
      answers: [{ data: { target: "db-0.db.shop.svc.cluster.local", port: 5432, weight: 50 } }, { data: { target: "10-244-0-6.db.shop.svc.cluster.local" } }],
      additionals: [{ name: "db-0.db.shop.svc.cluster.local", data: "10.244.0.5" }, { data: "10.244.0.6" }],
    });
  });

  test("negative answers carry the zone's SOA, answers the question's own spelling", () => {
    expect(ask("nope.shop.svc.cluster.local")).toMatchObject({ authorities: [{ type: "SOA", name: "cluster.local", ttl: 30 }] });
    expect(ask("Web.Shop.svc.cluster.local")).toMatchObject({ answers: [{ name: "Web.Shop.svc.cluster.local" }] });
  });

  test("an alias that leads outside says where to go on", () => {
    expect(ask("abroad.shop.svc.cluster.local")).toMatchObject({ kind: "alias", target: "example.test", answers: [{ type: "CNAME" }] });
  });
});
