import { errorText, type Logger } from "../../../base/index.ts";
import type { KubeObject, Secret } from "../../../resources/index.ts";
import { ISSUER, type TokenAuthority } from "../auth/tokens.ts";
import { StatusError } from "../http/status.ts";
import { cloneJson } from "../json.ts";
import type { KindStrategy, RestContext, WriteRequest } from "../rest/context.ts";
import { deleteObject } from "../rest/delete.ts";
import { updateObject } from "../rest/update.ts";

const TYPE = "kubernetes.io/service-account-token";
const NAME = "kubernetes.io/service-account.name";
const UID = "kubernetes.io/service-account.uid";
const CONTROLLER: Pick<WriteRequest, "user" | "options" | "subresource"> = {
  user: { username: "system:kube-controller-manager", groups: ["system:masters"] },
  options: { dryRun: false, manager: "kube-controller-manager", fieldManager: "kube-controller-manager", fieldValidation: "Ignore", force: undefined },
  subresource: "",
};

/**
 * Secrets of the type service-account-token get a token without an end, the cluster's CA and their namespace, as soon as
 * their account is there; they go when the account goes. A token dies with its Secret.
 */
export class TokenSecrets {
  constructor(
    private readonly context: () => RestContext,
    private readonly tokens: TokenAuthority,
    private readonly caPem: string,
    private readonly log: Logger,
  ) {}

  readonly secrets: KindStrategy = { afterWrite: (object) => this.#fillLater(object as KubeObject as Secret) };
  readonly accounts: KindStrategy = {
    afterWrite: (account, old) => {
      if (!old) for (const secret of this.#secretsOf(account)) this.#fillLater(secret);
    },
    afterDelete: (account) => {
      for (const secret of this.#secretsOf(account))
        if (secret.metadata.annotations?.[UID] === account.metadata.uid) void this.#attempt(secret, () => this.#remove(secret));
    },
  };

  /** What a stop of the server kept from being filled. */
  start(): void {
    for (const { object } of this.context().store.list("/secrets")) this.#fillLater(object as KubeObject as Secret);
  }

  #secretsOf({ metadata }: KubeObject): Secret[] {
    const all = this.context()
      .store.list("/secrets", metadata.namespace)
      .map(({ object }) => object as KubeObject as Secret);
    return all.filter((secret) => secret.type === TYPE && secret.metadata.annotations?.[NAME] === metadata.name);
  }

  #fillLater(secret: Secret): void {
    if (secret.type === TYPE && !secret.metadata.deletionTimestamp && needsFilling(secret)) void this.#attempt(secret, () => this.#fill(secret));
  }

  async #attempt(secret: Secret, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      // It is gone or another one by now: whoever did that has the last word.
      if (error instanceof StatusError && (error.status.code === 404 || error.status.code === 409)) return;
      this.log.warn("a service account's token Secret is not kept", {
        namespace: secret.metadata.namespace,
        secret: secret.metadata.name,
        error: errorText(error),
      });
    }
  }

  async #fill({ metadata }: Secret): Promise<void> {
    const context = this.context();
    const { namespace = "", name, uid = "", annotations } = metadata;
    const account = context.store.get("/serviceaccounts", namespace, annotations?.[NAME] ?? "");
    const resource = context.catalogue.preferred("", "secrets");
    if (!account || !resource) return;
    const serviceAccount = { name: account.name, uid: account.metadata.uid ?? "" };
    const { token } = this.tokens.issue({ namespace, serviceAccount, secret: { name, uid } }, [ISSUER], undefined);
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    await updateObject(
      context,
      { ...CONTROLLER, resource, namespace, name, warnings: [] },
      (live) => {
        const filled = cloneJson(live) as KubeObject as Secret;
        const data = filled.data ?? {};
        filled.metadata.annotations = { ...filled.metadata.annotations, [UID]: serviceAccount.uid };
        filled.data = {
          ...data,
          "ca.crt": data["ca.crt"] || base64(this.caPem),
          namespace: data.namespace || base64(namespace),
          token: data.token || base64(token),
        };
        return filled as KubeObject;
      },
      { track: true, kind: "UpdateOptions", uid },
    );
  }

  async #remove({ metadata }: Secret): Promise<void> {
    const context = this.context();
    const resource = context.catalogue.preferred("", "secrets");
    const { namespace = "", name, uid } = metadata;
    if (!resource) return;
    const options = { gracePeriodSeconds: undefined, propagationPolicy: undefined, preconditions: uid ? { uid } : {}, dryRun: false };
    await deleteObject(context, { ...CONTROLLER, resource, namespace, name, warnings: [] }, options);
  }
}

function needsFilling({ data, metadata }: Secret): boolean {
  return !data?.token || !data["ca.crt"] || !data.namespace || !metadata.annotations?.[UID];
}
