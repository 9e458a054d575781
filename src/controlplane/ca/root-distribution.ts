import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { CONFIG_MAPS, createInformer, isAlreadyExists, isNotFound, NAMESPACES, type Informer, type KubeClient } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

type ConfigMap = KubeObject & { data?: Record<string, string> };
type Namespace = KubeObject<unknown, { phase?: string }>;

/** Namespaces of the cluster's own, in which no workload runs. */
const SKIPPED = new Set(["kube-public", "kube-node-lease"]);
const LABELS = { "istio.io/config": "true" };
/** An API server that restarts is back within a second; one that is gone is not asked more often than every 30 s. */
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 30_000;

/**
 * Keeps the ConfigMaps istio-ca-root-cert and istio-ca-crl in every namespace, whoever changes or deletes them: pods
 * mount the first one, and start only when it is there.
 */
export function distributeRoots(options: { client: KubeClient; ca: CertificateAuthority; clock: Clock; log: Logger }): {
  synced: Promise<void>;
  stop: () => void;
} {
  const { client, ca, clock, log } = options;
  const namespaces = createInformer<Namespace>(client, NAMESPACES, { log, clock });
  const informers = new Map<string, Informer<ConfigMap>>();
  const wanted = (): Map<string, Record<string, string>> =>
    new Map<string, Record<string, string>>([
      ["istio-ca-root-cert", { "root-cert.pem": ca.material.rootBundlePem }],
      ["istio-ca-crl", { "ca-crl.pem": ca.material.crlPem }],
    ]);
  const retries = new Map<string, () => void>();
  const running = new Map<string, "once" | "again">();
  let stopped = false;

  const settle = async (name: string, namespace: string): Promise<void> => {
    const owner = namespaces.get(namespace);
    if (!owner || owner.status?.phase === "Terminating" || SKIPPED.has(namespace)) return;
    const data = wanted().get(name) ?? {};
    const current = informers.get(name)?.get(name, namespace);
    if (current && Object.entries(data).every(([key, value]) => current.data?.[key] === value)) return;
    const body = { metadata: { labels: LABELS }, data };
    if (current) {
      await client.patch(CONFIG_MAPS, name, namespace, body);
      return;
    }
    try {
      await client.create<ConfigMap>(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels: LABELS }, data });
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown;
      await client.patch(CONFIG_MAPS, name, namespace, body);
    }
  };

  /** One write at a time for each ConfigMap; a change in between starts another round, a failure one after a while. */
  const reconcile = async (name: string, namespace: string, retryMs = FIRST_RETRY_MS): Promise<void> => {
    const key = `${namespace}/${name}`;
    if (stopped) return;
    if (running.has(key)) {
      running.set(key, "again");
      return;
    }
    retries.get(key)?.();
    retries.delete(key);
    try {
      do {
        running.set(key, "once");
        await settle(name, namespace);
      } while (running.get(key) === "again");
    } catch (thrown) {
      // A namespace that was deleted meanwhile answers 404, or 403 while it terminates.
      if (isNotFound(thrown)) return;
      log.warn("could not write the trust bundle", { namespace, configmap: name, error: errorText(thrown), wait_ms: retryMs });
      retries.set(
        key,
        clock.after(retryMs, () => void reconcile(name, namespace, Math.min(retryMs * 2, MAX_RETRY_MS))),
      );
    } finally {
      running.delete(key);
    }
  };

  const all = (): void => {
    for (const name of wanted().keys()) for (const namespace of namespaces.list()) void reconcile(name, namespace.metadata.name);
  };
  for (const name of wanted().keys())
    informers.set(name, createInformer<ConfigMap>(client, CONFIG_MAPS, { fieldSelector: `metadata.name=${name}`, log, clock }));
  const synced = Promise.all([namespaces.synced, ...[...informers.values()].map((i) => i.synced)]).then(() => {
    if (stopped) return;
    namespaces.onChange(({ type, object }) => {
      if (type !== "DELETED") for (const name of wanted().keys()) void reconcile(name, object.metadata.name);
    });
    for (const informer of informers.values()) informer.onChange(({ object }) => void reconcile(object.metadata.name, object.metadata.namespace ?? ""));
  });
  const unsubscribe = ca.onChange(all);
  return {
    synced,
    stop: () => {
      stopped = true;
      unsubscribe();
      namespaces.stop();
      for (const informer of informers.values()) informer.stop();
      for (const cancel of retries.values()) cancel();
    },
  };
}
