import { describe, expect, test } from "bun:test";
import type { Gateway, Server } from "../../../resources/index.ts";
import { mergeGateways } from "./merge.ts";

describe("servers of several Gateways on one workload", () => {
  test("plain HTTP shares its port's routes", () => {
    const merged = mergeGateways([gateway("a", http(80)), gateway("b", http(80))], {}, []);
    expect(merged.ports.map(({ number, servers }) => [number, servers.length])).toEqual([[80, 2]]);
    expect([...merged.routes.keys()]).toEqual(["http.80"]);
  });

  test("of two with TLS for the same host the older stays", () => {
    const merged = mergeGateways([gateway("old", https("x.example.com")), gateway("new", https("x.example.com"))], {}, []);
    expect(merged.ports.flatMap(({ servers }) => servers.map((server) => server.gateway))).toEqual(["shop/old"]);
  });

  test("TCP cannot join HTTP on its port", () => {
    const merged = mergeGateways([gateway("a", http(80), { port: { number: 80, name: "tcp", protocol: "TCP" }, hosts: ["*"] })], {}, []);
    expect(merged.ports.map(({ protocol, servers }) => [protocol, servers.length])).toEqual([["HTTP", 1]]);
  });

  test("a selector that does not fit takes the whole Gateway away", () => {
    const selecting = { ...gateway("a", http(80)), spec: { selector: { istio: "ingressgateway" }, servers: [http(80)] } };
    expect(mergeGateways([selecting], { istio: "egressgateway" }, []).ports).toEqual([]);
    expect(mergeGateways([selecting], { istio: "ingressgateway" }, []).ports).toHaveLength(1);
  });

  test("hosts in the Gateway's own namespace are named in full", () => {
    const merged = mergeGateways([gateway("a", { ...http(80), hosts: ["./x", "*/y", "bank/z"] })], {}, []);
    expect(merged.ports[0]?.servers[0]?.server.hosts).toEqual(["shop/x", "y", "bank/z"]);
  });
});

function gateway(name: string, ...servers: Server[]): Gateway {
  return { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name, namespace: "shop" }, spec: { servers } };
}

function http(number: number): Server {
  return { port: { number, name: "http", protocol: "HTTP" }, hosts: ["*"] };
}

function https(host: string): Server {
  return { port: { number: 443, name: "https", protocol: "HTTPS" }, hosts: [host], tls: { mode: "SIMPLE", credentialName: "c" } };
}
