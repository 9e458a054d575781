import type { PodView } from "../../src/console/server/mesh-view.ts";
import type { QueryClient, QuerySample } from "../../src/telemetry/index.ts";
import { type FakeMesh, fakeMesh, fakePod, flow } from "./fake-mesh.ts";

/** A mesh of many workloads in layers, as shops are: some names are very long, some edges fail, one is in plaintext. */
export function bigMesh(workloads: number, edges: number): { mesh: FakeMesh; queries: QueryClient } {
  const namespaces = ["shop", "payments", "warehouse", "a-namespace-with-quite-a-long-name"];
  const names = Array.from({ length: workloads }, (_, i) => (i % 9 === 4 ? `recommendation-engine-for-returning-customers-${i}` : `service-${i}`));
  const of = (i: number): [string, string] => [namespaces[i % namespaces.length]!, names[i]!];
  const pods: PodView[] = names.map((_, i) => fakePod(...of(i), `10.245.${Math.floor(i / 200)}.${(i % 200) + 1}`));
  const random = generator(7);
  const flows: QuerySample[] = [];
  const seen = new Set<string>();
  while (flows.length < edges) {
    const from = Math.floor(random() * workloads * 0.7);
    const to = Math.min(workloads - 1, from + 1 + Math.floor(random() * workloads * 0.3));
    const key = `${from}>${to}`;
    if (seen.has(key) || from === to) {
      seen.add(`${key}${seen.size}`);
      if (seen.size > edges * 4) break;
      continue;
    }
    seen.add(key);
    const [namespace, workload] = of(to);
    const sample = flow(of(from), workload, Math.round(random() * 400) / 10 + 0.1, {
      destination_workload_namespace: namespace,
      destination_service_namespace: namespace,
      ...(to % 11 === 0 && { response_code: "503" }),
      ...(to % 13 === 5 && { connection_security_policy: "none" }),
    });
    flows.push(sample);
  }
  const queries: QueryClient = {
    async instant(query) {
      if (query.includes("chainmail_refused")) return [];
      if (query.includes("histogram_quantile")) return flows.map((sample, i) => ({ ...sample, value: (i % 40) + 1 }));
      return query.includes('istio_requests_total{reporter="destination"') ? flows : [];
    },
    range: async () => [],
  };
  return {
    mesh: fakeMesh({ pods, services: [], namespaces: Object.fromEntries(namespaces.map((name) => [name, { "istio-injection": "enabled" }])) }),
    queries,
  };
}

/** The same numbers each time. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}
