import type { Clock, Logger } from "../../base/index.ts";
import { createInformer, PODS, SERVICE_ACCOUNTS, type Informer, type KubeClient } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { BoundObject, TokenClaims } from "./token-claims.ts";

/** Knows whether the pod and the service account that a token is bound to are still there. */
export interface BoundObjects {
  /** False too while it cannot be known: then nothing may be concluded from the past. */
  alive(claims: TokenClaims): boolean;
  /** Called when an object has gone, or when what was known may have become wrong. */
  onDoubt(listener: () => void): void;
  stop(): void;
}

/** Follows pods and service accounts, of which only names and uids are kept. */
export function followBoundObjects(options: { client: KubeClient; clock: Clock; log: Logger }): BoundObjects {
  const { client, clock, log } = options;
  const listeners = new Set<() => void>();
  const live = { pods: false, accounts: false };
  const doubt = (): void => {
    for (const listener of listeners) listener();
  };
  const follow = (kind: keyof typeof live): Informer => {
    const informer = createInformer<KubeObject>(client, kind === "pods" ? PODS : SERVICE_ACCOUNTS, {
      transform: ({ apiVersion, kind: type, metadata: { name, namespace, uid, resourceVersion } }) => ({ apiVersion, kind: type, metadata: { name, namespace, uid, resourceVersion } }),
      onConnection: (connected) => {
        live[kind] = connected;
        if (!connected) doubt();
      },
      log,
      clock,
    });
    informer.onChange(({ type }) => type === "DELETED" && doubt());
    return informer;
  };
  const pods = follow("pods");
  const accounts = follow("accounts");
  const is = (informer: Informer, namespace: string, { name, uid }: BoundObject): boolean => informer.get(name, namespace)?.metadata.uid === uid;
  return {
    alive: ({ namespace, serviceAccount, pod }) => live.pods && live.accounts && is(accounts, namespace, serviceAccount) && (pod === undefined || is(pods, namespace, pod)),
    onDoubt: (listener) => void listeners.add(listener),
    stop() {
      pods.stop();
      accounts.stop();
    },
  };
}
