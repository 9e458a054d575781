import { DEPLOYMENTS, type KubeClient } from "../../kube/index.ts";
import type { Deployment, KubeObject } from "../../resources/index.ts";

/** How many istiods of a revision its Deployments ask for. One that no Deployment knows of, such as outside a cluster, is alone. */
export function countIstiods(deployments: readonly KubeObject[], revision: string): number {
  const ours = deployments.filter(({ metadata: { labels } }) => labels?.["app"] === "istiod" && (labels["istio.io/rev"] ?? "default") === revision);
  return Math.max(
    1,
    ours.reduce((sum, deployment) => sum + ((deployment as Deployment).spec?.replicas ?? 1), 0),
  );
}

/** The same, asked of the API. */
export async function listIstiods(client: KubeClient, namespace: string, revision: string): Promise<number> {
  const { items } = await client.list<Deployment>(DEPLOYMENTS, { namespace, labelSelector: "app=istiod" });
  return countIstiods(items, revision);
}
