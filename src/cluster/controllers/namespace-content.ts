import { CONFIG_MAPS, isAlreadyExists, isNotFound, SERVICE_ACCOUNTS } from "../../kube/index.ts";
import type { ConfigMap, ServiceAccount } from "../../resources/index.ts";
import { type Context, type Controller, ROOT_CA_CONFIG_MAP } from "./context.ts";
import { stoppable } from "./work-queue.ts";

/** What each namespace has from the start: its `default` service account and the CA of the API server. */
export function startNamespaceContent(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("namespace-content", (name) => sync(context, name));
  const stops = [
    informers.namespaces.onChange(({ type, object }) => type !== "DELETED" && queue.add(object.metadata.name)),
    informers.serviceAccounts.onChange(
      ({ type, object }) => type === "DELETED" && object.metadata.name === "default" && queue.add(object.metadata.namespace ?? ""),
    ),
    informers.rootCertificates.onChange(({ type, object }) => type !== "ADDED" && queue.add(object.metadata.namespace ?? "")),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, namespace: string): Promise<void> {
  const { informers, client, caPem } = context;
  await Promise.all([informers.serviceAccounts.synced, informers.rootCertificates.synced]);
  const object = informers.namespaces.get(namespace);
  if (!object || object.metadata.deletionTimestamp || object.status?.phase === "Terminating") return;
  const work: Promise<unknown>[] = [];
  if (!informers.serviceAccounts.get("default", namespace)) {
    const account: ServiceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } };
    work.push(unlessThere(client.create(SERVICE_ACCOUNTS, account)));
  }
  const data = { "ca.crt": caPem };
  const existing = informers.rootCertificates.get(ROOT_CA_CONFIG_MAP, namespace);
  const description = "The CA of this cluster's API server, for pods that call it at kubernetes.default.svc or its address";
  if (!existing) {
    const map: ConfigMap = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: ROOT_CA_CONFIG_MAP, namespace, annotations: { "kubernetes.io/description": description } },
      data,
    };
    work.push(unlessThere(client.create(CONFIG_MAPS, map)));
  } else if (existing.data?.["ca.crt"] !== caPem) {
    work.push(client.update<ConfigMap>(CONFIG_MAPS, { ...existing, data }));
  }
  await Promise.all(work);
}

/** Somebody else may have made it, or the namespace may have gone meanwhile. */
async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (thrown) {
    if (!isAlreadyExists(thrown) && !isNotFound(thrown)) throw thrown;
  }
}
