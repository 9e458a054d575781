import { createInformer, type KubeClient, PODS } from "../../../kube/index.ts";
import type { Node, Pod } from "../../../resources/index.ts";

export const NODE: Node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1", labels: { "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux" } },
  spec: {},
  status: { allocatable: { cpu: "2", memory: "4Gi", pods: "110" } },
};

/** Plays the kubelet: pods with a node get an address and are ready at once; pods being deleted go. */
export function startFakeNode(
  client: KubeClient,
  options: { ready?: (pod: Pod) => boolean; finish?: (pod: Pod) => "Succeeded" | "Failed" | undefined } = {},
): { stop(): void } {
  let next = 1;
  const informer = createInformer<Pod>(client, PODS);
  const seen = new Set<string>();
  const stop = informer.onChange(({ type, object }) => {
    const { name, namespace, uid = "" } = object.metadata;
    if (type === "DELETED" || !object.spec?.nodeName) return;
    if (object.metadata.deletionTimestamp) {
      void client.delete(PODS, name, namespace, { gracePeriodSeconds: 0, uid }).catch(() => {}); // gone already
      return;
    }
    if (seen.has(uid)) return;
    seen.add(uid);
    const ready = options.ready?.(object) ?? true;
    const phase = options.finish?.(object) ?? "Running";
    const podIP = `10.244.0.${next++}`;
    const status: Pod["status"] = {
      ...object.status,
      phase,
      podIP,
      podIPs: [{ ip: podIP }],
      conditions: [{ type: "Ready", status: ready && phase === "Running" ? "True" : "False", lastTransitionTime: new Date().toISOString() }],
    };
    void client.patch(PODS, name, namespace, { status }, "status").catch(() => {}); // deleted meanwhile
  });
  return {
    stop() {
      stop();
      informer.stop();
    },
  };
}
