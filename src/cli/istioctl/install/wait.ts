import { ChainmailError, type Clock } from "../../../base/index.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, PODS, type KubeClient } from "../../../kube/index.ts";
import type { Deployment, Pod } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";

/** Often enough that nobody waits for the question, seldom enough that the API server does not notice. */
const POLL_MS = 200;

export interface WaitOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** How the timeout was written. */
  readonly timeoutText: string;
  readonly waiting: (resources: string[]) => void;
}

/** Returns when definitions are served and deployments have their pods ready; throws with what is wrong when the time is over. */
export async function waitUntilReady(objects: readonly KubeObject[], options: WaitOptions): Promise<void> {
  const { client, clock } = options;
  const deadline = clock.now() + options.timeoutMs;
  for (;;) {
    const late = (await Promise.all(objects.map((object) => notReady(client, object)))).filter((text) => text !== undefined);
    if (late.length === 0) return;
    options.waiting(late);
    if (clock.now() >= deadline) {
      const reasons = await Promise.all(late.map(async (name) => `  ${name}${await podTrouble(client, name)}`));
      throw new ChainmailError(
        "RESOURCES_NOT_READY",
        `failed to wait for resource: resources not ready after ${options.timeoutText}: context deadline exceeded\n${reasons.join("\n")}`,
      );
    }
    await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
  }
}

async function notReady(client: KubeClient, { kind, metadata }: KubeObject): Promise<string | undefined> {
  if (kind === "CustomResourceDefinition") {
    const found = await client.find(CUSTOM_RESOURCE_DEFINITIONS, metadata.name);
    const conditions = (found?.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? [];
    return conditions.some(({ type, status }) => type === "Established" && status === "True") ? undefined : `${kind}/${metadata.name}`;
  }
  if (kind !== "Deployment") return undefined;
  const found = await client.find<Deployment>(DEPLOYMENTS, metadata.name, metadata.namespace);
  return found && deploymentReady(found) ? undefined : `${kind}/${metadata.namespace}/${metadata.name}`;
}

/** Every pod is of the newest template, and as many as it takes are available. */
export function deploymentReady({ metadata, spec, status }: Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) && (status?.updatedReplicas ?? 0) >= wanted && (status?.availableReplicas ?? 0) >= wanted
  );
}

/** Why a deployment's pod does not start, as far as its containers say. */
async function podTrouble(client: KubeClient, name: string): Promise<string> {
  const [kind, namespace, deployment = ""] = name.split("/");
  if (kind !== "Deployment") return "";
  const found = await client.find<Deployment>(DEPLOYMENTS, deployment, namespace);
  const labels = Object.entries(found?.spec?.selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  if (!found || labels.length === 0) return "";
  const { items } = await client.list<Pod>(PODS, { ...(namespace !== undefined && { namespace }), labelSelector: labels.join(",") });
  for (const { status } of items) {
    for (const { state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
      if (state?.waiting) return ` (container failed to start: ${state.waiting.reason ?? ""}: ${state.waiting.message ?? ""})`;
      if (state?.terminated) return ` (container failed to start: ${state.terminated.reason ?? ""}: ${state.terminated.message ?? ""})`;
    }
  }
  return "";
}
