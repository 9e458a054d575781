import { errorText } from "../../base/index.ts";
import { isNotFound, PODS } from "../../kube/index.ts";
import type { KubeObject, Pod } from "../../resources/index.ts";
import type { Context } from "./context.ts";

/** How long a controller waits for its own writes to come back by its watch; then it works on with what it has. */
const SEE_OWN_WRITES_MS = 5_000;
/** Requests that are under way together: the API server is one process, more would only queue there. */
const BATCH = 16;

/** Creates pods in batches that double, as the first failure mostly means that all would fail. Throws the first failure. */
export async function createPods(context: Context, component: string, owner: KubeObject, pods: Pod[]): Promise<Pod[]> {
  const created: Pod[] = [];
  let next = 0;
  for (let size = 1; next < pods.length; size = Math.min(size * 2, BATCH)) {
    const results = await Promise.allSettled(pods.slice(next, next + size).map((pod) => context.client.create<Pod>(PODS, pod)));
    next += size;
    const failures = results.filter((result) => result.status === "rejected");
    for (const result of results) {
      if (result.status === "rejected") continue;
      created.push(result.value);
      context.events.normal(component, owner, "SuccessfulCreate", `Created pod: ${result.value.metadata.name}`);
    }
    const [failure] = failures;
    if (failure) {
      context.events.warning(component, owner, "FailedCreate", `Error creating: ${errorText(failure.reason)}`);
      await seen(context, created);
      throw failure.reason;
    }
  }
  await seen(context, created);
  return created;
}

/** Starts the deletion of pods; done when the shared copy shows it. */
export async function deletePods(context: Context, component: string, owner: KubeObject, pods: Pod[]): Promise<void> {
  for (let next = 0; next < pods.length; next += BATCH) {
    await Promise.all(
      pods.slice(next, next + BATCH).map(async (pod) => {
        const { name, namespace, uid } = pod.metadata;
        try {
          await context.client.delete(PODS, name, namespace, uid === undefined ? {} : { uid });
        } catch (thrown) {
          if (isNotFound(thrown)) return;
          context.events.warning(component, owner, "FailedDelete", `Error deleting: ${errorText(thrown)}`);
          throw thrown;
        }
        context.events.normal(component, owner, "SuccessfulDelete", `Deleted pod: ${name}`);
      }),
    );
  }
  const { pods: informer } = context.informers;
  await informer.waitFor(
    () =>
      pods.every(({ metadata }) => {
        const now = informer.get(metadata.name, metadata.namespace);
        return !now || now.metadata.uid !== metadata.uid || now.metadata.deletionTimestamp !== undefined;
      }),
    SEE_OWN_WRITES_MS,
  );
}

/** Without this wait the next look at the shared copy would create the same pods once more. */
async function seen(context: Context, pods: Pod[]): Promise<void> {
  const { pods: informer } = context.informers;
  const missing = new Set(pods.map((pod) => pod.metadata.uid));
  // A pod may come and go before it is looked for, so what has been seen once counts.
  const stop = informer.onChange(({ object }) => missing.delete(object.metadata.uid));
  try {
    await informer.waitFor(() => missing.size === 0, SEE_OWN_WRITES_MS);
  } finally {
    stop();
  }
}
