import { meshManifests } from "../../../controlplane/install/index.ts";
import type { WebhookConfiguration } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { object } from "../proxy-config/dump.ts";
import { REVISION_LABEL, TAG_LABEL } from "./tags.ts";

/** What a tag is made from: the revision's own webhook configuration and service. */
export interface TagSource {
  readonly tag: string;
  readonly revision: string;
  readonly istioNamespace: string;
  readonly webhookName: string | undefined;
  /** Whether namespaces that say nothing are injected as well. */
  readonly everywhere: boolean;
  readonly webhook: KubeObject;
  readonly service: KubeObject;
  /** The validator that is in the cluster, whose failure policy istiod manages. */
  readonly validator: KubeObject | undefined;
}

type Hook = NonNullable<WebhookConfiguration["webhooks"]>[number];
type Expression = { key: string; operator: "In" | "NotIn" | "Exists" | "DoesNotExist"; values?: string[] };

const DEFAULT = "default";
/** Labels by which an installer finds its own objects again: a tag is the user's. */
const INSTALLER = "operator.istio.io";

/** The objects of a tag: its injection webhooks, for the tag default validation too, and a service for proxies. */
export function tagObjects(source: TagSource): KubeObject[] {
  return [injector(source), ...(source.tag === DEFAULT ? [validator(source)] : []), service(source)];
}

/** Kubernetes tells webhooks apart by what they ask for: the revision's own, with the tag's name in its place. */
function injector({ tag, revision, istioNamespace, webhookName, everywhere, webhook }: TagSource): KubeObject {
  const template = meshManifests({ namespace: istioNamespace }).find(({ kind }) => kind === "MutatingWebhookConfiguration") as WebhookConfiguration | undefined;
  const [first] = (webhook as WebhookConfiguration).webhooks ?? [];
  const hooks = (template?.webhooks ?? []).filter(({ name }) => tag === DEFAULT || name.startsWith("rev."));
  const taken = hooks.map((hook) => ({
    ...hook,
    clientConfig: first?.clientConfig ?? hook.clientConfig,
    namespaceSelector: renamed(hook.namespaceSelector, tag),
    objectSelector: renamed(hook.objectSelector, tag),
    ...(first?.reinvocationPolicy && { reinvocationPolicy: first.reinvocationPolicy }),
  }));
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: {
      name: webhookName ?? `istio-revision-tag-${tag}`,
      labels: tagLabels(webhook, tag, revision),
      ...(webhook.metadata.annotations && { annotations: webhook.metadata.annotations }),
    },
    webhooks: [...taken, ...(everywhere && tag === DEFAULT && taken[0] ? [silentNamespaces(taken[0])] : [])],
  };
}

/** Namespaces without any label of injection, but the cluster's own. */
function silentNamespaces(hook: Hook): Hook {
  const absent = (key: string): Expression => ({ key, operator: "DoesNotExist" });
  return {
    ...hook,
    name: "auto.sidecar-injector.istio.io",
    namespaceSelector: {
      matchExpressions: [
        absent("istio-injection"),
        absent(REVISION_LABEL),
        { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"] },
      ],
    },
    objectSelector: { matchExpressions: [absent("sidecar.istio.io/inject"), absent(REVISION_LABEL)] },
  };
}

function renamed(selector: Hook["namespaceSelector"], tag: string): Hook["namespaceSelector"] {
  const matchExpressions = (selector?.matchExpressions ?? []).map((expression) =>
    expression.key === REVISION_LABEL && expression.operator === "In" ? { ...expression, values: [tag] } : expression,
  );
  return { ...selector, matchExpressions };
}

/** Who checks resources that name no revision. */
function validator({ revision, istioNamespace, webhook, validator: present }: TagSource): KubeObject {
  const template = meshManifests({ namespace: istioNamespace }).find(({ metadata }) => metadata.name === "istiod-default-validator") as WebhookConfiguration;
  const { service: target, caBundle } = (webhook as WebhookConfiguration).webhooks?.[0]?.clientConfig ?? {};
  const policies = new Map((present as WebhookConfiguration | undefined)?.webhooks?.map(({ name, failurePolicy }) => [name, failurePolicy]));
  const hooks = (template.webhooks ?? []).map((hook) => {
    const { failurePolicy: _, ...rest } = hook;
    const policy = policies.has(hook.name) ? policies.get(hook.name) : hook.failurePolicy;
    // A policy that istiod has set to Fail stays istiod's.
    return {
      ...rest,
      ...(policy === "Fail" ? {} : { failurePolicy: policy }),
      clientConfig: { ...(target && { service: { ...target, path: "/validate" } }), ...(caBundle && { caBundle }) },
    };
  });
  return {
    ...template,
    metadata: { ...template.metadata, labels: { ...template.metadata.labels, [REVISION_LABEL]: revision, [TAG_LABEL]: DEFAULT } },
    webhooks: hooks,
  };
}

/** A name under which proxies of the tag find the revision's control plane. */
function service({ tag, revision, istioNamespace, service: own }: TagSource): KubeObject {
  const { ports, selector } = object(own.spec);
  const plain = (Array.isArray(ports) ? ports : []).map((port) => {
    const { nodePort: _, ...rest } = object(port);
    return rest;
  });
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `istiod-revision-tag-${tag}`, namespace: istioNamespace, labels: tagLabels(own, tag, revision) },
    spec: { ports: plain, selector },
  };
}

function tagLabels({ metadata }: KubeObject, tag: string, revision: string): Record<string, string> {
  const kept = Object.entries(metadata.labels ?? {}).filter(([label]) => !label.includes(INSTALLER));
  return { ...Object.fromEntries(kept), [REVISION_LABEL]: revision, [TAG_LABEL]: tag };
}
