import { describe, expect, test } from "bun:test";
import { createLogger, FakeClock } from "../../base/index.ts";
import type { EndpointSlice, Service } from "../../resources/index.ts";
import { emptyZone } from "./dns/zone.ts";
import type { ServiceEntry } from "./service-entry.ts";
import { ServiceNetwork, type Watched } from "./service-network.ts";
import { ServiceTable } from "./service-table.ts";

class FakeWatch<T> implements Watched<T> {
  #listeners: ((change: { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }) => void)[] = [];
  onChange(listener: (change: { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }) => void): () => void {
    this.#listeners.push(listener);
    return () => (this.#listeners = this.#listeners.filter((each) => each !== listener));
  }
  emit(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    for (const listener of this.#listeners) listener({ type, object });
  }
}

const WEB: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { clusterIP: "10.96.0.20", ports: [{ port: 80 }] },
};
function slice(...ips: string[]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-abc", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: ips.map((ip) => ({ addresses: [ip] })),
    ports: [{ port: 8080 }],
  };
}

function setUp(nft: (commands: string) => Promise<unknown>) {
  const services = new FakeWatch<Service>();
  const endpointSlices = new FakeWatch<EndpointSlice>();
  const clock = new FakeClock();
  const zone = emptyZone("cluster.local");
  const ports: ServiceEntry[][] = [];
  const table = new ServiceTable({ nodeIp: "10.244.0.1", localAddresses: [], nft, clock, logger: createLogger("test", { level: "none" }) });
  const network = new ServiceNetwork({ services, endpointSlices, table, zone, nodePorts: { update: (entries) => void ports.push([...entries]) } });
  return { services, endpointSlices, clock, zone, ports, network };
}

describe("ServiceNetwork", () => {
  test("whatever comes first, service and slices end in rules, names and ports", async () => {
    const sent: string[] = [];
    const { services, endpointSlices, zone, ports, network } = setUp(async (commands) => sent.push(commands));
    endpointSlices.emit("ADDED", slice("10.244.0.2"));
    services.emit("ADDED", WEB);
    await network.settled();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toContain("dnat ip to 10.244.0.2:8080");
    expect(ports.at(-1)?.map(({ key }) => key)).toEqual(["shop/web"]);
    expect(zone.namespaces.get("shop")?.get("web")?.clusterIP).toBe("10.96.0.20");

    endpointSlices.emit("MODIFIED", slice("10.244.0.3"));
    await network.settled();
    expect(sent[1]).toContain("flush chain");
    services.emit("DELETED", WEB);
    await network.settled();
    expect(sent[2]).toContain("delete element");
    expect(zone.namespaces.has("shop")).toBe(false);
    expect(zone.reverse.size).toBe(0);
    expect(ports.at(-1)).toEqual([]);
  });

  test("a refused transaction is tried again from what the kernel holds", async () => {
    let broken = true;
    const sent: string[] = [];
    const { services, endpointSlices, clock, network } = setUp(async (commands) => {
      if (broken) throw new Error("nft refused");
      sent.push(commands);
    });
    services.emit("ADDED", WEB);
    endpointSlices.emit("ADDED", slice("10.244.0.2"));
    await network.settled();
    expect(sent).toEqual([]);
    broken = false;
    clock.advance(1_000);
    await Bun.sleep(0);
    expect(sent[0]).toContain("add chain ip chainmail svc_10.96.0.20_tcp_80");
  });

  test("changes while a transaction runs are sent together after it", async () => {
    const sent: string[] = [];
    const gates: (() => void)[] = [];
    const { services, endpointSlices, network } = setUp((commands) => {
      sent.push(commands);
      return new Promise<void>((resolve) => gates.push(resolve));
    });
    services.emit("ADDED", WEB);
    endpointSlices.emit("ADDED", slice("10.244.0.2"));
    await Bun.sleep(0);
    for (const last of [3, 4, 5]) {
      endpointSlices.emit("MODIFIED", slice(`10.244.0.${last}`));
      await Bun.sleep(0);
    }
    expect(sent).toHaveLength(1);
    gates[0]?.();
    await Bun.sleep(0);
    gates[1]?.();
    await network.settled();
    expect(sent).toHaveLength(2);
    expect(sent[1]).toContain("10.244.0.5:8080");
  });
});
