import { createLogger, systemClock } from "../../../base/index.ts";
import { createClient, type KubeClient } from "../../../kube/index.ts";
import type { KubeObject, Pod } from "../../../resources/index.ts";
import { startControllers, type VolumeFolders } from "../index.ts";
import { FakeApi } from "./fake-api.ts";
import { NODE, startFakeNode } from "./fake-node.ts";

export interface Harness {
  api: FakeApi;
  client: KubeClient;
  /** Waits until `look` gives something; fails loudly with what it last saw. */
  until<T>(what: string, look: () => T | undefined | false): Promise<T>;
  namespace(name: string): Promise<void>;
  stop(): void;
}

/** All controllers on a fake API with a fake node. */
export async function start(
  options: Parameters<typeof startFakeNode>[1] & { node?: boolean; collectAfterMs?: number; volumeFolders?: VolumeFolders } = {},
): Promise<Harness> {
  const api = new FakeApi();
  const client = createClient(api.transport);
  const namespace = (name: string) => api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } } as KubeObject);
  await namespace("default");
  if (options.node !== false) await api.apply(structuredClone(NODE) as KubeObject);
  const node = startFakeNode(client, options);
  const log = createLogger("test", { level: process.env["DEBUG"] ? "debug" : "none" });
  // Garbage collection starts at once in tests.
  const clock = { ...systemClock, after: (ms: number, callback: () => void) => systemClock.after(ms === 1000 ? 0 : ms, callback) };
  const controllers = startControllers({
    client,
    clock,
    log,
    loopbackAddress: "127.0.0.1",
    caPem: "CA",
    random: Math.random,
    ...(options.volumeFolders ? { volumeFolders: options.volumeFolders } : {}),
  });
  return {
    api,
    client,
    namespace,
    async until(what, look) {
      const end = Date.now() + 3000;
      for (;;) {
        const found = look();
        if (found !== undefined && found !== false) return found;
        if (Date.now() > end)
          throw new Error(`never happened: ${what}; pods: ${JSON.stringify(api.all("pods").map(brief))}; requests: ${api.requests.slice(-20).join(", ")}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    stop() {
      controllers.stop();
      node.stop();
    },
  };
}

function brief(object: KubeObject): string {
  return `${object.metadata.name}:${(object as Pod).status?.phase}`;
}
