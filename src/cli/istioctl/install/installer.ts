import { ChainmailError, errorText, systemClock, type Clock } from "../../../base/index.ts";
import { NODES, type KubeClient } from "../../../kube/index.ts";
import { installValues } from "../../../controlplane/install/index.ts";
import { COMPONENT_TEXTS, type ComponentName, type ComponentSet, componentSets } from "./components.ts";
import { ensureNamespace, goName, ownedObjects, removeObject, resourceOf } from "./owned-objects.ts";
import type { Progress } from "./progress.ts";
import type { InstallSettings } from "./settings.ts";
import { waitUntilReady } from "./wait.ts";

/** Under this name Istio's installer owns what it applies; another installer can then see whose a field is. */
const FIELD_MANAGER = "istio-operator";

export interface InstallOptions {
  readonly client: KubeClient;
  readonly progress: Progress;
  readonly dryRun: boolean;
  readonly timeoutMs: number;
  readonly timeoutText: string;
  readonly clock?: Clock;
  readonly say: (line: string) => void;
}

/** Applies the parts, each when those it needs are ready, and then removes what the settings no longer want. */
export async function installMesh(settings: InstallSettings, options: InstallOptions): Promise<void> {
  const { client, progress, dryRun } = options;
  const sets = componentSets(settings);
  const { namespace, revision } = installValues(settings.values);
  if (!dryRun) await ensureNamespace(client, namespace);
  const done = new Map<ComponentName, Promise<void>>();
  const failures: string[] = [];
  for (const set of sets) {
    const before = COMPONENT_TEXTS[set.name].after.map((name) => done.get(name));
    done.set(
      set.name,
      afterAll(before)
        .then(() => installSet(set, options))
        .catch((error: unknown) => void failures.push(errorText(error))),
    );
  }
  await Promise.all(done.values());
  if (failures.length > 0)
    throw new ChainmailError(
      "INSTALL_FAILED",
      `failed to install manifests: ${failures.length} error${failures.length === 1 ? "" : "s"} occurred:\n${failures.map((text) => `\t* ${text}\n`).join("")}\n`,
    );
  if (!dryRun) {
    progress.pruning();
    await prune(client, sets, revision, (line) => {
      progress.endLine();
      options.say(line);
    });
  }
  progress.complete("Installation complete");
}

/** A part that failed does not hold up those after it: their own waiting says what is missing. */
async function afterAll(promises: readonly (Promise<void> | undefined)[]): Promise<void> {
  await Promise.all(promises);
}

async function installSet({ name, objects }: ComponentSet, { client, progress, dryRun, clock = systemClock, ...options }: InstallOptions): Promise<void> {
  progress.start(name);
  try {
    if (!dryRun) {
      for (const object of objects) await client.apply(resourceOf(object), object, FIELD_MANAGER);
      await waitUntilReady(objects, {
        client,
        clock,
        timeoutMs: options.timeoutMs,
        timeoutText: options.timeoutText,
        waiting: (resources) => progress.waiting(name, resources),
      });
    }
    progress.finish(name);
  } catch (error) {
    progress.fail(name, errorText(error));
    throw error;
  }
}

/** Definitions stay, with all that users made of them. */
async function prune(client: KubeClient, sets: readonly ComponentSet[], revision: string, say: (line: string) => void): Promise<void> {
  const wanted = new Set(sets.flatMap(({ objects }) => objects.map(goName)));
  for (const object of await ownedObjects(client, { revision })) {
    if (wanted.has(goName(object))) continue;
    if (await removeObject(client, object)) say(`  Removed ${goName(object)}.`);
  }
}

/** Images that no node has and nobody serves would leave pods waiting for ever: better said before. */
export async function requireImages(client: KubeClient, settings: InstallSettings): Promise<void> {
  if (settings.ownImages || !settings.components.pilot) return;
  const { hub, version } = installValues(settings.values);
  const image = `${hub}/pilot:${version}`;
  // The embedded cluster's catalogue names images of all versions at once.
  const names = new Set([image, `docker.io/${image}`, `${hub}/pilot`]);
  const nodes = await client.list(NODES);
  const known = nodes.items
    .flatMap(({ status }) => (status as { images?: { names?: string[] }[] } | undefined)?.images ?? [])
    .flatMap(({ names }) => names ?? []);
  if (known.some((name) => names.has(name))) return;
  throw new ChainmailError("IMAGES_MISSING", `no node of this cluster has the image ${image}, and no public registry serves Chainmail's images`, {
    hint: "push them to a registry of yours and name it: istioctl install --set hub=REGISTRY/PATH",
  });
}
