import { describe, expect, test } from "bun:test";
import { type BuildOptions, buildGraph } from "./build.ts";

const identity = (namespace: string, workload: string) => ({ cluster: "Kubernetes", namespace, workload, app: workload, version: "v1" });
const options: BuildOptions = {
  graphType: "workload",
  injectServiceNodes: false,
  workloadByIp: (ip) => (ip === "10.244.0.9" ? identity("default", "sleep") : undefined),
  workloadByPod: (namespace, pod) => identity(namespace, pod.replace(/-[^-]+-[^-]+$/, "")),
};
const edge = (source: string, destination: string, more: Record<string, string> = {}) => ({
  source_workload_namespace: "shop",
  source_workload: source,
  source_cluster: "Kubernetes",
  destination_cluster: "Kubernetes",
  destination_workload_namespace: "shop",
  destination_workload: destination,
  destination_service_namespace: "shop",
  destination_service_name: destination,
  destination_service: `${destination}.shop.svc.cluster.local`,
  request_protocol: "http",
  response_code: "200",
  response_flags: "-",
  ...more,
});
const mutual = {
  connection_security_policy: "mutual_tls",
  source_principal: "spiffe://td/ns/shop/sa/web",
  destination_principal: "spiffe://td/ns/shop/sa/cart",
};

describe("buildGraph", () => {
  test("what the destination saw is not counted again from the source, but failures before it are", () => {
    const { edges } = buildGraph(
      {
        "http-destination": [{ labels: edge("web", "cart", mutual), value: 3 }],
        "http-source": [
          { labels: edge("web", "cart"), value: 3 },
          { labels: edge("web", "cart", { response_code: "503", response_flags: "UF,URX" }), value: 1 },
        ],
      },
      options,
    );
    expect(edges).toHaveLength(1);
    expect(edges[0]!.traffic.map((t) => [t.code, t.rate])).toEqual([
      ["200", 3],
      ["503", 1],
    ]);
    expect(edges[0]).toMatchObject({ mtls: 1, sourcePrincipals: [mutual.source_principal], destinationPrincipals: [mutual.destination_principal] });
  });

  test("plaintext that was let in lowers the share", () => {
    const plain = { connection_security_policy: "none", source_workload: "unknown", source_workload_namespace: "unknown" };
    const { edges, nodes } = buildGraph(
      {
        "http-destination": [
          { labels: edge("web", "cart", mutual), value: 3 },
          { labels: edge("web", "cart", { ...plain }), value: 1 },
        ],
      },
      options,
    );
    expect(edges.map((e) => e.mtls)).toEqual([1, 0]);
    expect(nodes.map((n) => n.type)).toContain("unknown");
  });

  test("plaintext callers have the names of their addresses, and share what is not counted by address", () => {
    const plain = { connection_security_policy: "none", source_workload: "unknown", source_workload_namespace: "unknown" };
    const seen = (source_ip: string, value: number) => ({ labels: { namespace: "shop", pod: "cart-5d4-x7k", source_ip }, value });
    const samples = { "http-destination": [{ labels: edge("web", "cart", plain), value: 4 }], p95: [{ labels: edge("web", "cart", plain), value: 20 }] };
    const alone = buildGraph({ ...samples, plaintext: [seen("10.244.0.9", 2)] }, options);
    expect(alone.edges.map(({ id, mtls, traffic, responseTimes }) => [id, mtls, traffic[0]!.rate, responseTimes.p95])).toEqual([
      ["workload/default/sleep > workload/shop/cart", 0, 4, 20],
    ]);
    const two = buildGraph({ ...samples, plaintext: [seen("10.244.0.9", 3), seen("192.0.2.1", 1)] }, options);
    expect(two.edges.map(({ id, traffic, responseTimes }) => [id.split(" ")[0], traffic[0]!.rate, responseTimes.p95])).toEqual([
      ["workload/default/sleep", 3, 20],
      ["unknown/unknown/unknown", 1, 20],
    ]);
    // Somebody else's plaintext says nothing of these, and mutual TLS has names of its own.
    expect(
      buildGraph({ ...samples, plaintext: [{ labels: { namespace: "shop", pod: "web-1-2", source_ip: "10.244.0.9" }, value: 1 }] }, options).edges[0]!.id,
    ).toContain("unknown");
  });

  test("refused attempts are an edge from the caller's workload, with the reason", () => {
    const { edges, nodes } = buildGraph(
      { refused: [{ labels: { namespace: "shop", pod: "cart-5d4-x7k", source_ip: "10.244.0.9", destination_port: "8080", reason: "plaintext" }, value: 2 }] },
      options,
    );
    expect(nodes.map((n) => `${n.namespace}/${n.workload}`)).toEqual(["default/sleep", "shop/cart"]);
    expect(edges[0]!.refused).toEqual([{ reason: "plaintext", port: "8080", attempts: 2 }]);
  });

  test("service nodes stand between, and are the end where no workload is known", () => {
    const lost = edge("web", "unknown", {
      destination_service_name: "gone",
      destination_workload_namespace: "unknown",
      response_code: "503",
      response_flags: "UH",
    });
    const { edges } = buildGraph(
      { "http-destination": [{ labels: edge("web", "cart", mutual), value: 1 }], "http-source": [{ labels: lost, value: 1 }] },
      { ...options, injectServiceNodes: true },
    );
    expect(edges.map((e) => e.id)).toEqual([
      "workload/shop/web > service/shop/cart",
      "service/shop/cart > workload/shop/cart",
      "workload/shop/web > service/shop/gone",
    ]);
  });
});
