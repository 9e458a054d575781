import type { Clock, Logger } from "../../base/index.ts";
import { createInformer, PODS, SERVICE_ACCOUNTS, type GroupVersionResource, type KubeClient } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { Followed } from "../registry/types.ts";
import type { BoundObject, TokenClaims } from "./token-claims.ts";

/** Knows whether the pod and the service account that a token is bound to are still there. */
export interface BoundObjects {
  /** False too while it cannot be known: then nothing may be concluded from the past. */
  alive(claims: TokenClaims): boolean;
  /** Called when an object has gone, or when what was known may have become wrong. */
  onDoubt(listener: () => void): void;
  stop(): void;
}

/** Follows service accounts, and pods where nobody else does; only names and uids are kept of them. */
export function followBoundObjects(options: { client: KubeClient; clock: Clock; log: Logger; pods?: Followed | undefined }): BoundObjects {
  const { client, clock, log } = options;
  const listeners = new Set<() => void>();
  const doubt = (): void => {
    for (const listener of listeners) listener();
  };
  const follow = (gvr: GroupVersionResource): Followed & { stop(): void } => {
    let live = false;
    const informer = createInformer<KubeObject>(client, gvr, {
      transform: ({ apiVersion, kind: type, metadata: { name, namespace, uid, resourceVersion } }) => ({
        apiVersion,
        kind: type,
        metadata: { name, namespace, uid, resourceVersion },
      }),
      onConnection: (connected) => {
        live = connected;
        if (!connected) doubt();
      },
      log,
      clock,
    });
    informer.onChange(({ type }) => type === "DELETED" && doubt());
    return { get: (name, namespace) => informer.get(name, namespace), live: () => live, onDoubt: () => {}, stop: () => informer.stop() };
  };
  const own = options.pods ? undefined : follow(PODS);
  const pods = options.pods ?? own;
  options.pods?.onDoubt(doubt);
  const accounts = follow(SERVICE_ACCOUNTS);
  const is = (followed: Followed | undefined, namespace: string, { name, uid }: BoundObject): boolean =>
    followed?.live() === true && followed.get(name, namespace)?.metadata.uid === uid;
  return {
    alive: ({ namespace, serviceAccount, pod }) =>
      pods?.live() === true && is(accounts, namespace, serviceAccount) && (pod === undefined || is(pods, namespace, pod)),
    onDoubt: (listener) => void listeners.add(listener),
    stop() {
      own?.stop();
      accounts.stop();
    },
  };
}
