import type { LabelSelector, Webhook, WebhookConfiguration } from "../../resources/index.ts";
import { SYSTEM_NAMESPACES } from "../injection/index.ts";
import { componentLabels, nameLabels } from "./labels.ts";
import { injectionValues, revisionSuffix, type InstallValues } from "./values.ts";

type Expression = NonNullable<LabelSelector["matchExpressions"]>[number];

const ISTIO_GROUPS = ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"];
const absent = (key: string): Expression => ({ key, operator: "DoesNotExist" });
const among = (key: string, ...values: string[]): Expression => ({ key, operator: "In", values });
const notFalse: Expression = { key: "sidecar.istio.io/inject", operator: "NotIn", values: ["false"] };

/**
 * The webhooks without certificates: istiod fills in the CA bundle, and lets validation fail closed as soon as it
 * answers. Until then Istio's resources are let in unchecked, or nothing could be installed before istiod runs.
 */
export function webhookConfigurations(values: InstallValues): WebhookConfiguration[] {
  return [
    injector(values),
    validator(values, `istio-validator${revisionSuffix(values)}-${values.namespace}`),
    ...(values.revision === "default" ? [validator(values, "istiod-default-validator")] : []),
  ];
}

function injector(values: InstallValues): WebhookConfiguration {
  const { revision } = values;
  const webhook = (name: string, namespaces: Expression[], pods: Expression[]): Webhook => ({
    name: `${name}.sidecar-injector.istio.io`,
    clientConfig: { service: service(values, "/inject") },
    sideEffects: "None",
    rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], scope: "*" }],
    // A pod of the mesh without its sidecar would talk in plaintext: better no pod.
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    reinvocationPolicy: "Never",
    admissionReviewVersions: ["v1"],
    namespaceSelector: { matchExpressions: namespaces },
    objectSelector: { matchExpressions: pods },
    timeoutSeconds: 10,
  });
  const byRevision = [
    webhook("rev.namespace", [among("istio.io/rev", revision), absent("istio-injection")], [notFalse]),
    webhook("rev.object", [absent("istio.io/rev"), absent("istio-injection")], [notFalse, among("istio.io/rev", revision)]),
  ];
  const byDefault = [
    webhook("namespace", [among("istio-injection", "enabled")], [notFalse]),
    webhook("object", [absent("istio-injection"), absent("istio.io/rev")], [among("sidecar.istio.io/inject", "true"), absent("istio.io/rev")]),
  ];
  // The webhook refuses system namespaces too; here they are spared the call, and a cluster without istiod its own pods.
  const system: Expression = { key: "kubernetes.io/metadata.name", operator: "NotIn", values: [...SYSTEM_NAMESPACES] };
  const everywhere = webhook("auto", [absent("istio-injection"), absent("istio.io/rev"), system], [absent("sidecar.istio.io/inject"), absent("istio.io/rev")]);
  const auto = injectionValues(values).sidecarInjectorWebhook.enableNamespacesByDefault ? [everywhere] : [];
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: {
      name: `istio-sidecar-injector${revision === "default" ? "" : `-${revision}`}`,
      labels: { ...componentLabels(values, "istiod", "Pilot"), app: "sidecar-injector" },
    },
    webhooks: revision === "default" ? [...byRevision, ...byDefault, ...auto] : byRevision,
  };
}

/** The first configuration is for resources of this revision, the second for those that name none. */
function validator(values: InstallValues, name: string): WebhookConfiguration {
  const isDefault = name === "istiod-default-validator";
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: {
      name,
      labels: { ...nameLabels(values, "istiod"), istio: "istiod", "istio.io/rev": values.revision, ...(isDefault ? { "istio.io/tag": "default" } : {}) },
    },
    webhooks: [
      {
        name: isDefault ? "validation.istio.io" : "rev.validation.istio.io",
        clientConfig: { service: service(values, "/validate") },
        rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: ISTIO_GROUPS, apiVersions: ["*"], resources: ["*"], scope: "*" }],
        failurePolicy: "Ignore",
        matchPolicy: "Equivalent",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        namespaceSelector: {},
        objectSelector: { matchExpressions: [isDefault ? absent("istio.io/rev") : among("istio.io/rev", values.revision)] },
        timeoutSeconds: 10,
      },
    ],
  };
}

function service(values: InstallValues, path: string): NonNullable<Webhook["clientConfig"]["service"]> {
  return { name: values.revision === "default" ? "istiod" : `istiod-${values.revision}`, namespace: values.namespace, path, port: 443 };
}
