import { errorText, type Clock, type Logger } from "../../base/index.ts";
import {
  createInformer,
  GATEWAYS,
  isNotFound,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  resourcePath,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type GroupVersionResource,
  type KubeClient,
} from "../../kube/index.ts";
import type { KubeObject, WebhookConfiguration } from "../../resources/index.ts";
import type { CertificateAuthority } from "../ca/index.ts";
import type { MetricsRegistry } from "../debug/index.ts";

export interface WebhookConfigsOptions {
  client: KubeClient;
  ca: CertificateAuthority;
  revision: string;
  namespace: string;
  metrics: MetricsRegistry;
  clock: Clock;
  log: Logger;
}

/** Conflicts and a restarting API server are over soon. */
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 10_000;

/**
 * Keeps the CA bundle in the webhook configurations of this revision, whoever changes them, and lets validation fail
 * closed once it is proved that the API server reaches it: before that nothing of Istio's could be written at all.
 */
export function patchWebhooks(options: WebhookConfigsOptions): { settled: Promise<void>; stop: () => void } {
  const { client, ca, revision, clock, log } = options;
  const attempts = options.metrics.counter("webhook_patch_attempts_total", "Webhook patching attempts");
  const updates = options.metrics.counter("galley_validation_config_updates", "k8s webhook configuration updates");
  const failures = options.metrics.counter("galley_validation_config_update_error", "k8s webhook configuration update error");
  const labels = `istio.io/rev=${revision}`;
  const retries = new Map<string, () => void>();
  let stopped = false;
  let reached = false;

  const mutating = createInformer<WebhookConfiguration>(client, MUTATING_WEBHOOK_CONFIGURATIONS, {
    labelSelector: `app=sidecar-injector,${labels}`,
    log,
    clock,
  });
  const validating = createInformer<WebhookConfiguration>(client, VALIDATING_WEBHOOK_CONFIGURATIONS, { labelSelector: `app=istiod,${labels}`, log, clock });

  const again = (gvr: GroupVersionResource, name: string, retryMs: number): void => {
    retries.get(name)?.();
    retries.set(
      name,
      clock.after(retryMs, () => void settle(gvr, name, Math.min(retryMs * 2, MAX_RETRY_MS))),
    );
  };
  const settle = async (gvr: GroupVersionResource, name: string, retryMs = FIRST_RETRY_MS): Promise<void> => {
    const isValidating = gvr === VALIDATING_WEBHOOK_CONFIGURATIONS;
    const object = (isValidating ? validating : mutating).get(name);
    retries.get(name)?.();
    retries.delete(name);
    if (!object || stopped) return;
    const operations = bundleOperations(object, ca.material.rootBundlePem);
    try {
      if (operations.length > 0) {
        if (isValidating) updates.add();
        else attempts.add({ name });
        await client.patch(gvr, name, undefined, operations);
        log.info("patched the CA bundle", { webhooks: name });
      }
      if (!isValidating || (object.webhooks ?? []).every(({ failurePolicy }) => failurePolicy === "Fail")) return;
      if (!reached) reached = await isValidationReached(client, options.namespace);
      if (!reached) {
        // Our Service has no endpoint until we are Ready: this is how every start looks.
        log.debug("the API server does not call the validation webhook yet", { webhooks: name, wait_ms: retryMs });
        again(gvr, name, retryMs);
        return;
      }
      updates.add();
      await client.patch(gvr, name, undefined, policyOperations(object));
      log.info("validation fails closed from now on", { webhooks: name });
    } catch (thrown) {
      if (isNotFound(thrown)) return;
      if (isValidating) failures.add({ reason: "Error" });
      log.warn("could not settle a webhook configuration", { webhooks: name, error: errorText(thrown), wait_ms: retryMs });
      again(gvr, name, retryMs);
    }
  };
  const all = (): Promise<void[]> =>
    Promise.all([
      ...mutating.list().map(({ metadata }) => settle(MUTATING_WEBHOOK_CONFIGURATIONS, metadata.name)),
      ...validating.list().map(({ metadata }) => settle(VALIDATING_WEBHOOK_CONFIGURATIONS, metadata.name)),
    ]);
  const unsubscribe = ca.onChange(() => void all());
  const settled = Promise.all([mutating.synced, validating.synced]).then(async () => {
    if (stopped) return;
    await all();
    mutating.onChange(({ type, object }) => type !== "DELETED" && void settle(MUTATING_WEBHOOK_CONFIGURATIONS, object.metadata.name));
    validating.onChange(({ type, object }) => type !== "DELETED" && void settle(VALIDATING_WEBHOOK_CONFIGURATIONS, object.metadata.name));
  });
  return {
    settled,
    stop() {
      stopped = true;
      unsubscribe();
      mutating.stop();
      validating.stop();
      for (const cancel of retries.values()) cancel();
    },
  };
}

type Operation = { op: "add"; path: string; value: string };

function bundleOperations(object: WebhookConfiguration, bundlePem: string): Operation[] {
  const value = Buffer.from(bundlePem).toString("base64");
  return (object.webhooks ?? []).flatMap(({ clientConfig }, i) =>
    clientConfig.caBundle === value ? [] : [{ op: "add" as const, path: `/webhooks/${i}/clientConfig/caBundle`, value }],
  );
}

function policyOperations(object: WebhookConfiguration): Operation[] {
  return (object.webhooks ?? []).map((_, i) => ({ op: "add", path: `/webhooks/${i}/failurePolicy`, value: "Fail" }));
}

/** A Gateway without servers is against Istio's rules and fits its schema: only the webhook can refuse it. */
async function isValidationReached(client: KubeClient, namespace: string): Promise<boolean> {
  const invalid: KubeObject = { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "istiod-validation-probe", namespace }, spec: {} };
  const response = await client.transport(`${resourcePath(GATEWAYS, namespace)}?dryRun=All`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(invalid),
  });
  return !response.ok && (await response.text()).includes("configuration is invalid");
}
