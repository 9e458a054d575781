import { errorText, type Clock, type Logger } from "../../base/index.ts";
import type { Graph, GraphType, QueryClient } from "../../telemetry/index.ts";
import { autoMtlsEnabled, effectiveMode, meshStatus, namespaceStatus, trustDomain } from "../api/mtls.ts";
import { loadGraph } from "./graph-service.ts";
import type { LiveSource } from "./live.ts";
import { type MeshView, hasProxy, workloadOf } from "./mesh-view.ts";

/** What a page asks to be shown. */
export interface LiveRequest {
  /** Empty: the namespaces of the mesh. */
  namespaces: string[];
  graphType: GraphType;
  durationSeconds: number;
  injectServiceNodes: boolean;
}

/** The mesh beside its traffic: policy, namespaces, and how each workload is secured. */
export interface MeshState {
  tls: { status: string; autoMtls: boolean };
  trustDomain: string;
  namespaces: { name: string; injected: boolean; mesh: boolean; tls: string }[];
  policies: { namespace: string; name: string; mode: string; selector: Record<string, string> | undefined }[];
  workloads: { namespace: string; workload: string; app: string; sidecar: boolean; gateway: boolean; ready: number; pods: number; mode: string; policy: string | undefined; serviceAccount: string }[];
}

export interface GraphUpdate {
  /** Unix ms. */
  time: number;
  durationSeconds: number;
  namespaces: string[];
  graph: Graph;
}

/** The metrics store scrapes once a second: asking more often would show nothing new. */
const GRAPH_EVERY_MS = 1_000;
/** A burst of watch events, as at a rollout, becomes one message; far below what a person sees as delay. */
const STATE_DELAY_MS = 50;

/** Streams the graph while it changes and the mesh's state at each change of it. One for each open page. */
export function liveMesh(request: LiveRequest, deps: { mesh: MeshView; queries: QueryClient; clock: Clock; log: Logger }): LiveSource {
  const { mesh, queries, clock, log } = deps;
  return {
    subscribe(send) {
      let ended = false;
      let cancelGraph = () => {};
      let cancelState: (() => void) | undefined;
      let lastGraph = "";
      let failing = false;
      const sendState = () => {
        cancelState = undefined;
        send("mesh", meshState(mesh));
      };
      const tick = async () => {
        const namespaces = request.namespaces.length > 0 ? request.namespaces : mesh.meshNamespaces();
        try {
          const graph = await loadGraph({ ...request, namespaces, responseTimes: true, throughput: false }, queries, mesh);
          const text = JSON.stringify(graph);
          if (text !== lastGraph || failing) send("graph", { time: clock.now(), durationSeconds: request.durationSeconds, namespaces, graph } satisfies GraphUpdate);
          lastGraph = text;
          failing = false;
        } catch (thrown) {
          if (!failing) {
            log.warn("graph failed", { error: errorText(thrown) });
            send("problem", { message: errorText(thrown) });
          }
          failing = true;
        }
        if (!ended) cancelGraph = clock.after(GRAPH_EVERY_MS, () => void tick());
      };
      const unsubscribe = mesh.onChange(() => {
        cancelState ??= clock.after(STATE_DELAY_MS, sendState);
      });
      sendState();
      void tick();
      return () => {
        ended = true;
        cancelGraph();
        cancelState?.();
        unsubscribe();
      };
    },
  };
}

export function meshState(mesh: MeshView): MeshState {
  const policies = mesh.peerAuthentications();
  const inMesh = new Set(mesh.meshNamespaces());
  return {
    tls: { status: meshStatus(policies), autoMtls: autoMtlsEnabled(mesh.meshConfig()) },
    trustDomain: trustDomain(mesh.meshConfig()),
    namespaces: mesh.namespaces().map(({ metadata: { name, labels } }) => ({
      name,
      injected: labels?.["istio-injection"] === "enabled" || labels?.["istio.io/rev"] !== undefined,
      mesh: inMesh.has(name),
      tls: namespaceStatus(name, policies),
    })),
    policies: policies.map((p) => ({ namespace: p.metadata.namespace ?? "", name: p.metadata.name, mode: p.spec?.mtls?.mode ?? "UNSET", selector: p.spec?.selector?.matchLabels })),
    workloads: workloads(mesh),
  };
}

function workloads(mesh: MeshView): MeshState["workloads"] {
  const policies = mesh.peerAuthentications();
  const found = new Map<string, MeshState["workloads"][number]>();
  for (const pod of mesh.pods()) {
    if (pod.metadata.deletionTimestamp || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") continue;
    const { namespace, workload, app } = workloadOf(pod);
    const ready = pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ? 1 : 0;
    const known = found.get(`${namespace}/${workload}`);
    if (known) {
      known.pods++;
      known.ready += ready;
      continue;
    }
    const sidecar = hasProxy(pod);
    const { mode, policy } = effectiveMode(pod, policies);
    const gateway = sidecar && pod.metadata.labels?.istio?.endsWith("gateway") === true;
    found.set(`${namespace}/${workload}`, { namespace, workload, app, sidecar, gateway, ready, pods: 1, mode: sidecar ? mode : "NONE", policy: sidecar ? policy : undefined, serviceAccount: pod.spec?.serviceAccountName ?? "default" });
  }
  return [...found.values()];
}
