import { describe, expect, test } from "bun:test";
import type { Endpoint, EndpointSlice, Service } from "../../resources/index.ts";
import { serviceEntry } from "./service-entry.ts";

function service(spec: NonNullable<Service["spec"]>): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "shop" }, spec };
}

function slice(endpoints: Endpoint[], port = 8080, name?: string): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-abc", namespace: "shop" },
    addressType: "IPv4",
    endpoints,
    ports: [{ port, protocol: "TCP", ...(name === undefined ? {} : { name }) }],
  };
}

describe("serviceEntry", () => {
  test("ports meet endpoint ports by name, addresses of several slices are joined and sorted", () => {
    const spec = {
      clusterIP: "10.96.0.20",
      ports: [
        { name: "http", port: 80, nodePort: 30080 },
        { name: "admin", port: 81 },
      ],
    };
    const slices = [slice([{ addresses: ["10.244.0.9"] }], 8080, "http"), slice([{ addresses: ["10.244.0.2"] }], 9090, "http")];
    expect(serviceEntry(service(spec), slices)).toEqual({
      key: "shop/web",
      clusterIP: "10.96.0.20",
      externalIPs: [],
      loadBalancer: false,
      sticky: false,
      ports: [
        {
          protocol: "tcp",
          port: 80,
          nodePort: 30080,
          endpoints: [
            { ip: "10.244.0.2", port: 9090 },
            { ip: "10.244.0.9", port: 8080 },
          ],
        },
        { protocol: "tcp", port: 81, endpoints: [] },
      ],
    });
  });

  test("only ready endpoints; when none is, those that terminate and still serve", () => {
    const spec = { clusterIP: "10.96.0.20", ports: [{ port: 80 }] };
    const ready = { addresses: ["10.0.0.1"], conditions: { ready: true } };
    const unknown = { addresses: ["10.0.0.2"] };
    const starting = { addresses: ["10.0.0.3"], conditions: { ready: false } };
    const ending = { addresses: ["10.0.0.4"], conditions: { ready: false, serving: true, terminating: true } };
    const ips = (endpoints: Endpoint[]) => serviceEntry(service(spec), [slice(endpoints)])?.ports[0]?.endpoints.map(({ ip }) => ip);
    expect(ips([ready, unknown, starting, ending])).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(ips([starting, ending])).toEqual(["10.0.0.4"]);
    expect(ips([starting])).toEqual([]);
  });

  test.each([{ clusterIP: "None" }, { type: "ExternalName" as const, externalName: "x.test" }, { clusterIP: "" }, { clusterIP: "fd00::1" }])(
    "%p has no entry",
    (spec) => expect(serviceEntry(service({ ...spec, ports: [{ port: 80 }] }), [])).toBeUndefined(),
  );
});
