/**
 * install says which objects make up Istio's part of a mesh: `chainmail up` and `istioctl install` apply them, in this order.
 * They carry Istio's names, labels and ports, so that what people know of Istio holds here.
 * Pure functions over a few values; applying and removing is the caller's.
 */
import { istioCrds, type KubeObject } from "../../resources/index.ts";
import { roles, serviceAccounts } from "./accounts.ts";
import { configMaps } from "./config.ts";
import { egressGateway, ingressGateway } from "./gateway.ts";
import { istiod } from "./istiod.ts";
import { installValues, type InstallValues } from "./values.ts";
import { webhookConfigurations } from "./webhooks.ts";

export { installValues, type InstallValues } from "./values.ts";
export { meshConfig } from "./config.ts";

/** Everything in an order in which it can be applied one by one. */
export function meshManifests(values: Partial<InstallValues> = {}): KubeObject[] {
  const all = installValues(values);
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: all.namespace } },
    ...istioCrds(),
    ...serviceAccounts(all),
    ...roles(all),
    ...configMaps(all),
    ...istiod(all),
    ...webhookConfigurations(all),
    ...ingressGateway(all),
    ...(all.egressGateway ? egressGateway(all) : []),
  ];
}

/** Webhooks first, since nothing could be written once nobody answers them; CRDs last, since they take their objects along. */
const REMOVAL = [
  "MutatingWebhookConfiguration",
  "ValidatingWebhookConfiguration",
  "Deployment",
  "Service",
  "ConfigMap",
  "RoleBinding",
  "Role",
  "ClusterRoleBinding",
  "ClusterRole",
  "ServiceAccount",
  "CustomResourceDefinition",
  "Namespace",
];

/** The same objects in the order in which to remove them. */
export function removalOrder(objects: readonly KubeObject[]): KubeObject[] {
  const rank = ({ kind }: KubeObject): number => (REMOVAL.includes(kind) ? REMOVAL.indexOf(kind) : 0);
  return [...objects].reverse().sort((a, b) => rank(a) - rank(b));
}
