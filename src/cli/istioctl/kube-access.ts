import type { Duplex } from "node:stream";
import { ChainmailError } from "../../base/index.ts";
import {
  createClient,
  isNotFound,
  loadKubeconfig,
  httpsTransport,
  PODS,
  portForward,
  type GroupVersionResource,
  type KubeClient,
  type Transport,
} from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { kubeconfigPath, type GlobalOptions } from "./globals.ts";
import { httpOver, type HttpAnswer } from "./http-over.ts";

/** A pod by its coordinates. */
export interface PodRef {
  readonly name: string;
  readonly namespace: string;
}

/** What a command may do with a cluster; tests stand in for it. */
export interface KubeAccess {
  readonly client: KubeClient;
  /** The namespace of the flags, else of the kubeconfig's context. */
  readonly namespace: string;
  readonly istioNamespace: string;
  /** A connection to a port of a pod, through the API server. */
  connect(pod: PodRef, port: number): Promise<Duplex>;
  /** One HTTP request to a port of a pod. Throws when the answer is an error. */
  request(pod: PodRef, port: number, method: string, path: string): Promise<HttpAnswer>;
}

export async function openKube(options: GlobalOptions, env: Readonly<Record<string, string | undefined>> = process.env): Promise<KubeAccess> {
  const target = await loadKubeconfig(kubeconfigPath(options.kubeconfig, env), options.context);
  const base = httpsTransport({ ...target.connection, userAgent: "istioctl" });
  const client = createClient(impersonating(base, options));
  const connect = async (pod: PodRef, port: number): Promise<Duplex> => {
    try {
      await client.get(PODS, pod.name, pod.namespace);
      return await portForward(target.connection, pod.namespace, pod.name, port);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      const reason = isNotFound(cause)
        ? `failure running port forward process: building port forwarded: failed retrieving: ${text} in the ${JSON.stringify(pod.namespace)} namespace`
        : text;
      throw new ChainmailError("PORT_FORWARD_FAILED", `failure running port forward process: ${reason}`, { cause });
    }
  };
  return {
    client,
    namespace: options.namespace ?? target.namespace,
    istioNamespace: options.istioNamespace,
    connect,
    async request(pod, port, method, path) {
      const answer = await httpOver(await connect(pod, port), { method, path, host: `localhost:${port}` });
      if (answer.status >= 400)
        throw new ChainmailError("ADMIN_REQUEST_FAILED", `${method} /${path.replace(/^\//, "")}: ${answer.status} ${answer.body.trim()}`);
      return answer;
    },
  };
}

/** The same requests in another's name, if the API server lets. */
function impersonating(base: Transport, { as, asGroup, asUid }: GlobalOptions): Transport {
  if (as === undefined && asUid === undefined && asGroup.length === 0) return base;
  return (path, init = {}) => {
    const headers = new Headers(init.headers);
    if (as !== undefined) headers.set("impersonate-user", as);
    if (asUid !== undefined) headers.set("impersonate-uid", asUid);
    for (const group of asGroup) headers.append("impersonate-group", group);
    return base(path, { ...init, headers });
  };
}

/** Objects of a kind as plain data; a kind that is not there is an empty list. */
export async function listOrEmpty(client: KubeClient, gvr: GroupVersionResource, namespace?: string): Promise<KubeObject[]> {
  try {
    return (await client.list(gvr, namespace === undefined ? {} : { namespace })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
