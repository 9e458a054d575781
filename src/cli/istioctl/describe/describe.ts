import { CONFIG_MAPS, DESTINATION_RULES, PEER_AUTHENTICATIONS, PODS, SERVICES, VIRTUAL_SERVICES } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { listOrEmpty, type KubeAccess } from "../kube-access.ts";
import { list, listenersOf, object, text, type ConfigDump, type Json } from "../proxy-config/dump.ts";
import { ingressText } from "./ingress.ts";
import { destinationRuleOf, shownName, virtualServiceOf } from "./names.ts";
import { effectiveMtls, peerAuthenticationText } from "./peer-authentication.ts";
import { ADMIN_PORT, dumpOf, labelsMatch, podText, unusable } from "./pods.ts";
import { portsOf, protocolOf, targetOf, type ServicePort } from "./ports.ts";
import { destinationRuleText, NO_SUBSETS, subsetsOf, virtualServiceText, type Labels } from "./traffic.ts";

export interface DescribeOptions {
  readonly ignoreUnmeshed?: boolean;
  readonly adminPort?: number;
}

const RULE = "--------------------\n";

/** What the mesh does with a pod: its services, rules, mutual TLS and how it is reached from outside. Parts come as they are known. */
export async function* describePod(kube: KubeAccess, name: string, namespace: string, options: DescribeOptions = {}): AsyncGenerator<string> {
  const { ignoreUnmeshed = false, adminPort = ADMIN_PORT } = options;
  const pod = await kube.client.get(PODS, name, namespace);
  yield podText(pod, kube.namespace, ignoreUnmeshed);
  const services = (await kube.client.list(SERVICES, { namespace })).items.filter((service) => selects(service, pod));
  if (services.length === 0 && !ignoreUnmeshed)
    yield `Warning: No Kubernetes Services select pod ${shownName(pod, kube.namespace)} (see https://istio.io/docs/setup/kubernetes/additional-setup/requirements/ )\n`;
  const labels = [pod.metadata.labels ?? {}];
  yield RULE;
  yield await servicesText(kube, pod, services, labels, options);
  yield RULE;
  yield await mtlsText(kube, pod, namespace);
  yield await ingressText(kube, services, labels, adminPort);
}

/** The same for a service, by way of its first pod in the mesh. */
export async function* describeService(kube: KubeAccess, name: string, namespace: string, options: DescribeOptions = {}): AsyncGenerator<string> {
  const service = await kube.client.get(SERVICES, name, namespace);
  const pods = (await kube.client.list(PODS, { namespace })).items.filter((pod) => selects(service, pod));
  const reasons = pods.map((pod) => unusable(pod, kube.namespace));
  yield reasons.map((reason) => reason ?? "").join("");
  const usable = pods.filter((_, index) => reasons[index] === undefined);
  const [first] = usable;
  const shown = JSON.stringify(shownName(service, kube.namespace));
  if (pods.length === 0) yield `Service ${shown} has no pods.\n`;
  else if (!first)
    yield `Service ${shown} has no Istio pods.  (${pods.length} pods in service).\nUse \`istioctl kube-inject\` or redeploy with Istio automatic sidecar injection.\n`;
  if (!first) return;
  const labels = usable.map((pod) => pod.metadata.labels ?? {});
  yield await servicesText(kube, first, [service], labels, options);
  yield await ingressText(kube, [service], labels, options.adminPort);
}

async function servicesText(
  kube: KubeAccess,
  pod: KubeObject,
  services: readonly KubeObject[],
  labels: readonly Labels[],
  { ignoreUnmeshed = false, adminPort = ADMIN_PORT }: DescribeOptions,
): Promise<string> {
  let dump: ConfigDump;
  try {
    dump = await dumpOf(kube, pod, "sidecar", adminPort);
  } catch (error) {
    if (ignoreUnmeshed) return "";
    throw error;
  }
  const parts = services.map(async (service) => {
    const ports = portsOf(service);
    const shown = await Promise.all(ports.map((port) => portText(kube, dump, service, port, labels, ports.length > 1)));
    return `${serviceText(service, pod, kube.namespace)}${shown.join("")}`;
  });
  return (await Promise.all(parts)).join(RULE);
}

function serviceText(service: KubeObject, pod: KubeObject, namespace: string): string {
  const lines = portsOf(service)
    .filter(({ protocol = "TCP" }) => protocol === "TCP")
    .map((port) => {
      const target = targetOf(pod, port);
      return target === undefined
        ? `   no suitable port for manifest: ${pod.metadata.uid ?? ""}\n`
        : `   Port: ${port.name ?? ""} ${port.port}/${protocolOf(port)} targets pod port ${target}\n`;
    });
  return `Service: ${shownName(service, namespace)}\n${lines.join("")}`;
}

/** What is set for one port of a service; `named` where the service has several. */
async function portText(
  kube: KubeAccess,
  dump: ConfigDump,
  service: KubeObject,
  { port }: ServicePort,
  labels: readonly Labels[],
  named: boolean,
): Promise<string> {
  const indent = named ? 3 : 0;
  let out = named ? `${port}:\n` : "";
  const ruleName = destinationRuleOf(dump, service, port);
  const rule = ruleName && (await kube.client.find(DESTINATION_RULES, ruleName.name, ruleName.namespace));
  if (rule) out += destinationRuleText(rule, labels, kube.namespace, indent);
  else if (ruleName) out += `WARNING: Proxy is stale; it references to non-existent destination rule ${ruleName.name}.${ruleName.namespace}\n`;
  const name = virtualServiceOf(dump, service, port);
  const virtualService = name && (await kube.client.find(VIRTUAL_SERVICES, name.name, name.namespace));
  if (virtualService)
    out += virtualServiceText(virtualService, { service, rule, subsets: rule ? subsetsOf(rule, labels) : NO_SUBSETS }, kube.namespace, indent);
  else if (name) out += `WARNING: Proxy is stale; it references to non-existent virtual service ${name.name}.${name.namespace}\n`;
  const policies = rbacPolicies(dump, port);
  return policies.length > 0 ? `${out}${named ? `${port} ` : ""}RBAC policies: ${policies.join(", ")}\n` : out;
}

/**
 * Names of the policies of the first authorization filter that HTTP requests meet, as istioctl tells them: a listener of
 * the service's own address that comes before the inbound one is taken for it, and has none.
 */
function rbacPolicies(dump: ConfigDump, port: number): string[] {
  const ownAddress = ({ address }: Json): boolean => {
    const socket = object(object(address).socket_address);
    return socket.port_value === port && socket.address !== "0.0.0.0";
  };
  const filters = listenersOf(dump)
    .filter((listener) => listener.name === "virtualInbound" || ownAddress(listener))
    .flatMap((listener) => list(listener.filter_chains).flatMap((chain) => list(chain.filters)))
    .map(({ typed_config }) => object(typed_config))
    .find((config) => text(config["@type"]).endsWith(".HttpConnectionManager"))?.http_filters;
  const rbac = list(filters).find(({ name }) => name === "envoy.filters.http.rbac");
  return Object.keys(object(object(object(rbac?.typed_config).rules).policies)).sort();
}

async function mtlsText(kube: KubeAccess, pod: KubeObject, namespace: string): Promise<string> {
  const root = await rootNamespace(kube);
  // In the root namespace itself they are told twice, as istioctl does.
  const policies = (await Promise.all([root, namespace].map((place) => listOrEmpty(kube.client, PEER_AUTHENTICATIONS, place)))).flat();
  return peerAuthenticationText(effectiveMtls(policies, root, namespace, pod.metadata.labels ?? {}));
}

/** Mesh config's rootNamespace; the control plane's own where it says nothing. */
async function rootNamespace(kube: KubeAccess): Promise<string> {
  const map = await kube.client.find(CONFIG_MAPS, "istio", kube.istioNamespace);
  const mesh: unknown = Bun.YAML.parse((map?.data as Record<string, string> | undefined)?.mesh ?? "{}");
  const root = object(mesh).rootNamespace;
  return typeof root === "string" && root !== "" ? root : kube.istioNamespace;
}

function selects(service: KubeObject, pod: KubeObject): boolean {
  const selector = (service.spec as { selector?: Labels } | undefined)?.selector ?? {};
  return Object.keys(selector).length > 0 && labelsMatch(selector, pod);
}
