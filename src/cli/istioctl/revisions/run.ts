import { ChainmailError } from "../../../base/index.ts";
import { MUTATING_WEBHOOK_CONFIGURATIONS, NAMESPACES, SERVICES, VALIDATING_WEBHOOK_CONFIGURATIONS, type KubeClient } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { findingsText } from "../analyze/analyze.ts";
import { overlaps } from "../analyze/webhook.ts";
import { confirm } from "../confirm.ts";
import { goYaml } from "../format/go-yaml.ts";
import type { GlobalOptions } from "../globals.ts";
import { resourceOf } from "../install/owned-objects.ts";
import { openKube, type KubeAccess } from "../kube-access.ts";
import { printValue } from "../proxy-config/messages.ts";
import { tagObjects } from "./tag-objects.ts";
import { REVISION_LABEL, TAG_LABEL, tagsOf, tagTable } from "./tags.ts";

export interface SetTagOptions {
  readonly revision: string;
  readonly overwrite: boolean;
  readonly skipConfirmation: boolean;
  readonly webhookName?: string;
  readonly autoInjectNamespaces: boolean;
}

const FIELD_MANAGER = "istioctl";
const out = (text: string): void => void process.stdout.write(text);

export async function runListTags(output: string, globals: GlobalOptions): Promise<void> {
  const { client, istioNamespace } = await openKube(globals);
  const [webhooks, services, namespaces] = await Promise.all([
    client.list(MUTATING_WEBHOOK_CONFIGURATIONS, { labelSelector: REVISION_LABEL }),
    client.list(SERVICES, { namespace: istioNamespace, labelSelector: REVISION_LABEL }),
    client.list(NAMESPACES, { labelSelector: REVISION_LABEL }),
  ]);
  const tags = tagsOf([...webhooks.items, ...services.items], namespaces.items);
  if (tags.length === 0) out("No Istio revision tags found.\n");
  else if (output === "json" || output === "yaml") out(printValue(tags, output, "\t"));
  else if (output === "table") out(tagTable(tags));
  else throw new ChainmailError("USAGE", `unknown format: ${output}`);
}

export async function runSetTag(tag: string, options: SetTagOptions, generate: boolean, globals: GlobalOptions): Promise<void> {
  const kube = await openKube(globals);
  const { client } = kube;
  const source = await tagSource(kube, tag, options, generate);
  // The tag default takes injection over from the revision that had it.
  if (tag === "default" && !generate) await deactivateInjection(client);
  const objects = tagObjects(source);
  const conflicts = await webhookConflicts(client, objects);
  if (conflicts !== undefined && !options.skipConfirmation) {
    process.stderr.write(`creating tag would conflict, pass --skip-confirmation to proceed:\n${conflicts}\n`);
    if (!generate && !(await confirm("Apply anyways? [y/N]", out))) return;
  }
  if (generate) {
    out(objects.map((one) => `${goYaml(one)}\n`).join("\n---\n"));
    return;
  }
  for (const one of objects) await client.apply(resourceOf(one), one, FIELD_MANAGER);
  out(
    `Revision tag ${JSON.stringify(tag)} created, referencing control plane revision ${JSON.stringify(options.revision)}. To enable injection using this\nrevision tag, use 'kubectl label namespace <NAMESPACE> istio.io/rev=${tag}'\n`,
  );
}

async function tagSource(
  { client, istioNamespace }: KubeAccess,
  tag: string,
  { revision, overwrite, webhookName, autoInjectNamespaces }: SetTagOptions,
  generate: boolean,
): Promise<Parameters<typeof tagObjects>[0]> {
  const own = (name: string): string => `${REVISION_LABEL}=${name},!${TAG_LABEL}`;
  const webhooksOf = async (name: string): Promise<KubeObject[]> => (await client.list(MUTATING_WEBHOOK_CONFIGURATIONS, { labelSelector: own(name) })).items;
  const servicesOf = async (name: string): Promise<KubeObject[]> =>
    (await client.list(SERVICES, { namespace: istioNamespace, labelSelector: `${own(name)},app=istiod` })).items;
  if (!generate && !overwrite && tag !== "default" && ((await webhooksOf(tag)).length > 0 || (await servicesOf(tag)).length > 0))
    throw new ChainmailError("TAG_IS_REVISION", `cannot create revision tag ${JSON.stringify(tag)}: found existing control plane revision with same name`);
  const [webhooks, services] = await Promise.all([webhooksOf(revision), servicesOf(revision)]);
  const [[webhook], [service]] = [webhooks, services];
  if (services.length > 1)
    throw new ChainmailError(
      "REVISION_AMBIGUOUS",
      `cannot modify tag: found multiple canonical services with revision ${JSON.stringify(revision)} in namespace ${JSON.stringify(istioNamespace)}`,
    );
  if (!webhook || !service)
    throw new ChainmailError(
      "REVISION_UNKNOWN",
      `cannot modify tag: cannot find MutatingWebhookConfiguration or Service with revision ${JSON.stringify(revision)}`,
    );
  if (webhooks.length > 1)
    throw new ChainmailError(
      "REVISION_AMBIGUOUS",
      `cannot modify tag: found multiple canonical webhooks or services with revision ${JSON.stringify(revision)}`,
    );
  if (!overwrite) {
    const labelSelector = `${TAG_LABEL}=${tag}`;
    const [taken, named] = await Promise.all([
      client.list(MUTATING_WEBHOOK_CONFIGURATIONS, { labelSelector }),
      client.list(SERVICES, { namespace: istioNamespace, labelSelector }),
    ]);
    if (taken.items.length > 0 || named.items.length > 0)
      throw new ChainmailError("TAG_EXISTS", `revision tag ${JSON.stringify(tag)} already exists, and --overwrite is false`);
  }
  const validator = await client.find(VALIDATING_WEBHOOK_CONFIGURATIONS, "istiod-default-validator");
  return { tag, revision, istioNamespace, webhookName, everywhere: autoInjectNamespaces, webhook, service, validator };
}

/** Lets the webhooks of an untagged default revision match nothing; they stay, so that it can be taken back. */
async function deactivateInjection(client: KubeClient): Promise<void> {
  const never = { matchLabels: { "istio.io/deactivated": "never-match" } };
  const { items } = await client.list(MUTATING_WEBHOOK_CONFIGURATIONS, { labelSelector: `${REVISION_LABEL}=default,!${TAG_LABEL}` });
  for (const item of items) {
    const webhooks = (Array.isArray(item.webhooks) ? (item.webhooks as object[]) : []).map((hook) => ({
      ...hook,
      namespaceSelector: never,
      objectSelector: never,
    }));
    await client.update(MUTATING_WEBHOOK_CONFIGURATIONS, {
      ...item,
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      webhooks,
    } as KubeObject);
  }
}

/** What `analyze` would say of the new webhooks beside those that are there; undefined when nothing. */
async function webhookConflicts(client: KubeClient, objects: readonly KubeObject[]): Promise<string | undefined> {
  const injector = objects.find(({ kind }) => kind === "MutatingWebhookConfiguration");
  const { items } = await client.list(MUTATING_WEBHOOK_CONFIGURATIONS);
  const present = items.filter(({ metadata }) => metadata.name !== injector?.metadata.name).map((item) => ({ ...item, kind: "MutatingWebhookConfiguration" }));
  const found = overlaps([...present, ...(injector ? [injector] : [])]).filter(({ about }) => about === injector);
  const lines = new Set(found.map((finding) => findingsText([finding], { format: "log" })));
  return lines.size === 0 ? undefined : [...lines].sort().join("");
}

export async function runRemoveTag(tag: string, skipConfirmation: boolean, globals: GlobalOptions): Promise<void> {
  const { client, istioNamespace } = await openKube(globals);
  const labelSelector = `${TAG_LABEL}=${tag}`;
  const [services, webhooks, validators, users] = await Promise.all([
    client.list(SERVICES, { namespace: istioNamespace, labelSelector }),
    client.list(MUTATING_WEBHOOK_CONFIGURATIONS, { labelSelector }),
    client.list(VALIDATING_WEBHOOK_CONFIGURATIONS, { labelSelector }),
    client.list(NAMESPACES, { labelSelector: `${REVISION_LABEL}=${tag}` }),
  ]);
  if (services.items.length === 0 && webhooks.items.length === 0)
    throw new ChainmailError("TAG_UNKNOWN", `cannot remove tag ${JSON.stringify(tag)}: cannot find MutatingWebhookConfiguration or Service for tag`);
  if (users.items.length > 0 && !skipConfirmation) {
    const names = users.items.map(({ metadata }) => ` ${metadata.name}`).join("");
    if (
      !(await confirm(
        `Caution, found ${users.items.length} namespace(s) still injected by tag ${JSON.stringify(tag)}:${names}\nProceed with operation? [y/N]`,
        out,
      ))
    ) {
      out("Aborting operation.\n");
      return;
    }
  }
  for (const { metadata } of webhooks.items) await client.delete(MUTATING_WEBHOOK_CONFIGURATIONS, metadata.name);
  for (const { metadata } of validators.items) await client.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, metadata.name);
  for (const { metadata } of services.items) await client.delete(SERVICES, metadata.name, istioNamespace);
  out(`Revision tag ${tag} removed\n`);
}
