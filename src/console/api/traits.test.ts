import { expect, test } from "bun:test";
import type { KubeObject } from "../../resources/types.ts";
import type { PodView, ServiceView } from "../server/mesh-view.ts";
import { type TraitObjects, traitsOf } from "./traits.ts";

const pod = (name: string, version: string): PodView => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", labels: { app: "reviews", version } },
  spec: {},
  status: {},
});
const service: ServiceView = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "reviews", namespace: "shop", labels: { team: "a" } },
  spec: { selector: { app: "reviews" } },
};
const object = (kind: string, name: string, spec: unknown): KubeObject =>
  ({ apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "shop" }, spec }) as KubeObject;
const world = (more: Partial<TraitObjects>): TraitObjects => ({
  pods: [pod("reviews-1", "v1"), pod("reviews-2", "v2")],
  services: [service],
  virtualServices: [],
  destinationRules: [],
  serviceEntries: [],
  workloadEntries: [],
  ...more,
});

test("labels are those of the pods and of the service", () => {
  const traits = traitsOf(world({}));
  expect(traits["workload/shop/reviews-1"]).toEqual({ labels: { app: "reviews", version: "v1" }, features: [] });
  expect(traits["service/shop/reviews"]).toEqual({ labels: { team: "a" }, features: [] });
});

test("what a VirtualService does counts for its service and the workloads behind it", () => {
  const destination = (subset: string) => ({ destination: { host: "reviews", subset }, weight: 50 });
  const traits = traitsOf(
    world({
      virtualServices: [
        object("VirtualService", "r", {
          hosts: ["reviews", "shop.example"],
          http: [
            {
              match: [{ uri: { prefix: "/x" } }],
              fault: { abort: { httpStatus: 500 } },
              timeout: "1s",
              mirror: { host: "reviews" },
              route: [destination("v1"), destination("v2")],
            },
          ],
        }),
      ],
    }),
  );
  for (const id of ["service/shop/reviews", "workload/shop/reviews-1", "app/shop/reviews/", "app/shop/reviews/v2"]) {
    expect(traits[id]?.features.toSorted()).toEqual(["faultinjection", "mirroring", "requestrouting", "requesttimeout", "trafficshifting", "virtualservice"]);
    expect(traits[id]?.hosts).toEqual(["reviews", "shop.example"]);
  }
  expect(
    traitsOf(world({ virtualServices: [object("VirtualService", "r", { hosts: ["ratings"], http: [{ route: [{ destination: { host: "ratings" } }] }] })] }))[
      "service/shop/reviews"
    ]?.features,
  ).toEqual([]);
});

test("a subset's circuit breaker is the service's and of the workloads of that subset", () => {
  const rule = (spec: unknown) => traitsOf(world({ destinationRules: [object("DestinationRule", "r", spec)] }));
  const subset = rule({
    host: "reviews.shop.svc.cluster.local",
    subsets: [{ name: "v2", labels: { version: "v2" }, trafficPolicy: { outlierDetection: {} } }],
  });
  expect(
    ["service/shop/reviews", "workload/shop/reviews-1", "workload/shop/reviews-2", "app/shop/reviews/v2", "app/shop/reviews/v1"].map(
      (id) => subset[id]?.features.length,
    ),
  ).toEqual([1, 0, 1, 1, 0]);
  const ports = rule({ host: "reviews", trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, connectionPool: {} }] } });
  expect(ports["workload/shop/reviews-1"]?.features).toEqual(["circuitbreaker"]);
  expect(rule({ host: "reviews", trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } } })["service/shop/reviews"]?.features).toEqual([]);
});

test("hosts of ServiceEntries are services, WorkloadEntries workloads", () => {
  const traits = traitsOf(
    world({
      serviceEntries: [object("ServiceEntry", "e", { hosts: ["a.example", "b.example"], location: "MESH_INTERNAL" })],
      workloadEntries: [object("WorkloadEntry", "vm", { address: "10.0.0.1", labels: { app: "old" } })],
    }),
  );
  expect(traits["service/shop/b.example"]).toEqual({
    labels: {},
    features: ["serviceentry"],
    serviceEntry: { namespace: "shop", location: "MESH_INTERNAL", hosts: ["a.example", "b.example"] },
  });
  expect(traits["workload/shop/vm"]).toEqual({ labels: { app: "old" }, features: ["workloadentry"], workloadEntries: ["vm"] });
});
