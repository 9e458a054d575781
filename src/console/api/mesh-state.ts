import { type MeshView, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { autoMtlsEnabled, effectiveMode, meshStatus, namespaceStatus, portModes, trustDomain } from "./mtls.ts";

/** The mesh beside its traffic: policy, namespaces, and how each workload is secured. */
export interface MeshState {
  tls: { status: string; autoMtls: boolean };
  trustDomain: string;
  namespaces: { name: string; injected: boolean; mesh: boolean; tls: string }[];
  policies: { namespace: string; name: string; mode: string; selector: Record<string, string> | undefined; ports: Record<string, string>; created: string }[];
  workloads: WorkloadState[];
}

export interface WorkloadState {
  namespace: string;
  workload: string;
  kind: string;
  app: string;
  version: string;
  sidecar: boolean;
  gateway: boolean;
  ready: number;
  pods: number;
  restarts: number;
  /** "NONE" outside the mesh. */
  mode: string;
  policy: string | undefined;
  ports: Record<string, string>;
  serviceAccount: string;
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
    policies: policies.map((p) => ({
      namespace: p.metadata.namespace ?? "",
      name: p.metadata.name,
      mode: p.spec?.mtls?.mode ?? "UNSET",
      selector: p.spec?.selector?.matchLabels,
      ports: Object.fromEntries(Object.entries(p.spec?.portLevelMtls ?? {}).map(([port, { mode }]) => [port, mode ?? "UNSET"])),
      created: p.metadata.creationTimestamp ?? "",
    })),
    workloads: workloadStates(mesh),
  };
}

/** Every workload that has pods, with how the mesh secures it. */
export function workloadStates(mesh: MeshView): WorkloadState[] {
  const policies = mesh.peerAuthentications();
  const found = new Map<string, WorkloadState>();
  for (const pod of mesh.pods()) {
    if (pod.metadata.deletionTimestamp || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") continue;
    const { namespace, workload, app, version, kind } = workloadOf(pod);
    const ready = pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ? 1 : 0;
    const restarts = pod.status?.containerStatuses?.reduce((sum, container) => sum + container.restartCount, 0) ?? 0;
    const known = found.get(`${namespace}/${workload}`);
    if (known) {
      known.pods++;
      known.ready += ready;
      known.restarts += restarts;
      continue;
    }
    const sidecar = hasProxy(pod);
    const { mode, policy } = effectiveMode(pod, policies);
    const gateway = sidecar && pod.metadata.labels?.istio?.endsWith("gateway") === true;
    found.set(`${namespace}/${workload}`, {
      namespace,
      workload,
      kind,
      app,
      version,
      sidecar,
      gateway,
      ready,
      pods: 1,
      restarts,
      mode: sidecar ? mode : "NONE",
      policy: sidecar ? policy : undefined,
      ports: sidecar ? portModes(pod, policies) : {},
      serviceAccount: pod.spec?.serviceAccountName ?? "default",
    });
  }
  return [...found.values()].sort((a, b) => (`${a.namespace}/${a.workload}` < `${b.namespace}/${b.workload}` ? -1 : 1));
}
