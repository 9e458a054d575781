import type { KubeObject } from "../../../resources/types.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { list, object, text } from "./world.ts";

/** Where services can come from without any secret. */
const REGISTRIES = ["Mock", "Kubernetes", "External"];

export const meshNetworks: Analyzer = {
  name: "meshnetworks.MeshNetworksAnalyzer",
  description: "Check the validity of MeshNetworks in the cluster",
  needs: ["Secret"],
  run(world) {
    const remote = world
      .kind("Secret")
      .filter(({ metadata }) => metadata.labels?.["istio/multiCluster"] === "true")
      .flatMap(({ data }) => Object.keys(object(data)));
    const known = new Set([...REGISTRIES, ...remote]);
    const about: KubeObject = { apiVersion: "", kind: "MeshNetworks", metadata: { name: "meshnetworks", namespace: world.istioNamespace } };
    return Object.entries(world.networks).flatMap(([network, value]) =>
      list(object(value).endpoints)
        .map(({ fromRegistry }) => text(fromRegistry))
        .filter((registry) => registry !== "" && !known.has(registry))
        .map((registry): Finding => ({ code: "IST0126", about, message: `Unknown service registry ${registry} in network ${network}` })),
    );
  },
};

/** Compares the services of several clusters: with one cluster, which is all that is read, there is nothing to compare. */
export const multiclusterServices: Analyzer = {
  name: "services.MultiClusterServiceAnalyzer",
  description: "Check the validity of services in the multi-cluster environment",
  needs: ["Service"],
  run: () => [],
};
