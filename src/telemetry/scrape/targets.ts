import { type Informer } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";

/** Where one pod's metrics are and which labels its series get. */
export interface Target {
  /** Namespace and name of the pod with the address: an address that is used again is another target. */
  id: string;
  url: string;
  labels: Record<string, string>;
}

type Pod = KubeObject<{ nodeName?: string }, { podIP?: string; phase?: string }>;

/**
 * Pods that ask to be scraped by annotation (`prometheus.io/scrape|port|path|scheme`), with the labels that Istio's
 * Prometheus gives them: namespace, pod, and the pod's own labels. https://istio.io/latest/docs/ops/integrations/prometheus/
 */
export function targetsOf(pods: Informer<KubeObject>): Target[] {
  return pods.list().flatMap((object) => {
    const pod = object as Pod;
    const annotations = pod.metadata.annotations ?? {};
    const ip = pod.status?.podIP;
    if (annotations["prometheus.io/scrape"] !== "true" || !ip || pod.status?.phase !== "Running") return [];
    const port = annotations["prometheus.io/port"] ?? "80";
    if (!/^\d{1,5}$/.test(port)) return [];
    const path = annotations["prometheus.io/path"] ?? "/metrics";
    const scheme = annotations["prometheus.io/scheme"] === "https" ? "https" : "http";
    const podLabels = Object.entries(pod.metadata.labels ?? {}).map(([name, value]) => [name.replace(/[^a-zA-Z0-9_]/g, "_"), value]);
    return [
      {
        id: `${pod.metadata.namespace}/${pod.metadata.name}/${ip}:${port}`,
        url: `${scheme}://${ip}:${port}${path.startsWith("/") ? path : `/${path}`}`,
        labels: {
          ...Object.fromEntries(podLabels),
          job: "kubernetes-pods",
          instance: `${ip}:${port}`,
          namespace: pod.metadata.namespace ?? "",
          pod: pod.metadata.name,
        },
      },
    ];
  });
}
