import { errorText, type Logger } from "../../../../base/index.ts";
import type { KubeObject, Webhook, WebhookConfiguration } from "../../../../resources/index.ts";
import type { Store } from "../../../store/index.ts";
import { inVersion } from "../../apply/empty-object.ts";
import type { Catalogue, Resource } from "../../catalogue.ts";
import { internalError } from "../../http/status.ts";
import { cloneJson, equalJson, isObject } from "../../json.ts";
import { applyJsonPatch } from "../../patch/json-patch.ts";
import type { AdmissionPlugin, Attributes } from "../types.ts";
import { type WebhookCaller, WebhookUnavailable } from "./caller.ts";
import { conditionsHold } from "./conditions.ts";
import { matchWebhook } from "./match.ts";
import { admissionReview, denial, parseVerdict, reviewBody, type Verdict } from "./review.ts";

const MUTATING = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
const VALIDATING = "admissionregistration.k8s.io/validatingwebhookconfigurations";

export interface WebhookParts {
  store: Store;
  catalogue: Catalogue;
  caller: WebhookCaller;
  log: Logger;
}

interface Match {
  webhook: Webhook;
  resource: Resource;
}

/** Asks the webhooks of Mutating- and ValidatingWebhookConfigurations. */
export function webhookAdmission(parts: WebhookParts): AdmissionPlugin {
  return {
    mutate: (attributes) => mutate(parts, attributes),
    validate: (attributes) => validate(parts, attributes),
  };
}

/** One after the other, each on what the ones before made of the object; those that want it once more after later changes. */
async function mutate(parts: WebhookParts, attributes: Attributes): Promise<KubeObject | undefined> {
  const webhooks = configured(parts.store, MUTATING);
  if (webhooks.length === 0) return undefined;
  let current = attributes.object;
  const asked: { webhook: Webhook; saw: KubeObject | undefined }[] = [];
  for (const webhook of webhooks) {
    const outcome = await askMutating(parts, webhook, { ...attributes, object: current });
    if (!outcome) continue;
    current = outcome.object;
    asked.push({ webhook, saw: current });
  }
  for (const { webhook, saw } of asked) {
    if (webhook.reinvocationPolicy !== "IfNeeded" || equalJson(saw, current)) continue;
    current = (await askMutating(parts, webhook, { ...attributes, object: current }))?.object ?? current;
  }
  return current === attributes.object ? undefined : current;
}

/** The object after a webhook had its say; undefined when it is not concerned. */
async function askMutating(parts: WebhookParts, webhook: Webhook, attributes: Attributes): Promise<{ object: KubeObject | undefined } | undefined> {
  const match = select(parts, webhook, attributes);
  if (!match) return undefined;
  const verdict = await ask(parts, match, attributes);
  const { object } = attributes;
  if (!verdict || verdict.patch === undefined || !object) return { object };
  let patched: unknown;
  try {
    patched = applyJsonPatch(cloneJson(inVersion(object, match.resource)), verdict.patch);
  } catch (error) {
    throw internalError(`failed to apply the patch of admission webhook ${JSON.stringify(webhook.name)}: ${errorText(error)}`);
  }
  if (!isObject(patched)) throw internalError(`the patch of admission webhook ${JSON.stringify(webhook.name)} leaves no object`);
  const stored = match.resource.converted ? match.resource.converted.conversion.toStorage(patched as KubeObject) : patched;
  return { object: inVersion(stored, attributes.resource) as KubeObject };
}

/** All at once; the first refusal in order of configuration is the answer. */
async function validate(parts: WebhookParts, attributes: Attributes): Promise<void> {
  const matches = configured(parts.store, VALIDATING).flatMap((webhook) => select(parts, webhook, attributes) ?? []);
  const outcomes = await Promise.allSettled(matches.map((match) => ask(parts, match, attributes)));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

function configured(store: Store, id: string): Webhook[] {
  return store.list(id).flatMap(({ object }) => (object as WebhookConfiguration).webhooks ?? []);
}

function select({ catalogue, store }: WebhookParts, webhook: Webhook, attributes: Attributes): Match | undefined {
  const resource = matchWebhook(webhook, attributes, catalogue, store);
  return resource && { webhook, resource };
}

/** Puts the question. Undefined when there is no answer and the webhook's failurePolicy is to go on without. */
async function ask({ caller, log }: WebhookParts, { webhook, resource }: Match, attributes: Attributes): Promise<Verdict | undefined> {
  const { name } = webhook;
  try {
    const { uid, request } = admissionReview(attributes, resource);
    if (!(await conditionsHold(webhook, request))) return undefined;
    const verdict = parseVerdict(await caller.post(webhook, reviewBody(request)), uid);
    attributes.warnings.push(...verdict.warnings);
    if (!verdict.allowed) throw denial(name, verdict.status);
    return verdict;
  } catch (error) {
    if (!(error instanceof WebhookUnavailable)) throw error;
    if (webhook.failurePolicy === "Ignore") {
      log.warn("an admission webhook failed and is ignored", { webhook: name, error: error.message });
      return undefined;
    }
    throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${error.message}`);
  }
}
