import { ChainmailError, errorText } from "../../../base/index.ts";
import { CONFIG_MAPS, DESTINATION_RULES, PEER_AUTHENTICATIONS, PODS, SERVICES, VIRTUAL_SERVICES } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { chainRbacFilters } from "../authz-check.ts";
import { listOrEmpty, type KubeAccess } from "../kube-access.ts";
import { list, listenersOf, number, object, parseDump, type ConfigDump } from "../proxy-config/dump.ts";
import { podRef } from "../version.ts";
import { destinationRuleOf, shownName, virtualServiceOf } from "./names.ts";
import { effectiveMtls, peerAuthenticationText } from "./peer-authentication.ts";
import { containersOf, portsOf, protocolOf, targetOf } from "./ports.ts";
import { destinationRuleText, NO_SUBSETS, subsetsOf, virtualServiceText, type Subsets } from "./traffic.ts";

const RULE = "--------------------\n";
const ADMIN_PORT = 15000;

/** What the mesh does with a pod: its services, rules, mutual TLS and how it is reached from outside. */
export async function describePod(kube: KubeAccess, name: string, namespace: string): Promise<string> {
  const pod = await kube.client.get(PODS, name, namespace);
  const services = (await kube.client.list(SERVICES, { namespace })).items.filter((service) => selects(service, pod));
  let out = podText(pod, namespace);
  if (!isMeshed(pod)) return out;
  out += RULE;
  if (services.length === 0) out += `Warning: No Kubernetes Services select pod ${shownName(pod, namespace)} (see https://istio.io/docs/setup/kubernetes/additional-setup/requirements/ )\n`;
  out += await servicesText(kube, pod, services, namespace);
  out += RULE + (await mtlsText(kube, pod, namespace));
  return out + (await ingressText(kube, services, pod.metadata.labels ?? {}, namespace));
}

/** The same for a service, by way of its first pod in the mesh. */
export async function describeService(kube: KubeAccess, name: string, namespace: string): Promise<string> {
  const service = await kube.client.get(SERVICES, name, namespace);
  const pods = (await kube.client.list(PODS, { namespace })).items.filter((pod) => selects(service, pod));
  if (pods.length === 0) return `Service ${JSON.stringify(name)} has no pods.\n`;
  const pod = pods.find(isMeshed);
  if (!pod) return `Service: ${shownName(service, namespace)}\nWARNING: Service ${JSON.stringify(name)} has no pod in the mesh\n`;
  return (await servicesText(kube, pod, [service], namespace)) + (await ingressText(kube, [service], pod.metadata.labels ?? {}, namespace));
}

function podText(pod: KubeObject, namespace: string): string {
  const name = shownName(pod, namespace);
  let out = `Pod: ${name}\n`;
  const revision = pod.metadata.annotations?.["istio.io/rev"] ?? pod.metadata.labels?.["istio.io/rev"];
  if (revision) out += `   Pod Revision: ${revision}\n`;
  const containers = containersOf(pod);
  const ports = containers.flatMap((container) => (container.ports ?? []).map(({ containerPort, protocol = "TCP" }) => `${containerPort}${protocol === "TCP" ? "" : `/${protocol}`} (${container.name})`));
  out += ports.length > 0 ? `   Pod Ports: ${ports.join(", ")}\n` : "   Pod does not expose ports\n";
  if (containers.some((container) => container.name !== "istio-proxy" && container.securityContext?.runAsUser === 1337)) out += "   WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.\n";
  const status = pod.status as { phase?: string; containerStatuses?: { name: string; ready: boolean }[] } | undefined;
  if (status?.phase !== "Running") out += `   Pod is not Running (${status?.phase ?? "Unknown"})\n`;
  for (const container of status?.containerStatuses ?? []) if (!container.ready) out += `WARNING: Pod ${name} Container ${container.name} NOT READY\n`;
  if (!isMeshed(pod)) return `${out}WARNING: ${name} is not part of mesh; no Istio sidecar\n`;
  const labels = pod.metadata.labels ?? {};
  for (const label of ["app", "version"]) if (!labels[label] && !labels[`app.kubernetes.io/${label === "app" ? "name" : label}`]) out += `Suggestion: add '${label}' label to pod for Istio telemetry.\n`;
  return out;
}

async function servicesText(kube: KubeAccess, pod: KubeObject, services: readonly KubeObject[], namespace: string): Promise<string> {
  const dump = await dumpOf(kube, pod);
  const parts = await Promise.all(
    services.map(async (service) => {
      let out = serviceText(service, pod, namespace);
      const ports = portsOf(service);
      for (const port of ports) {
        // With several ports each line says which one it is about.
        const lead = ports.length > 1 ? `${port.port} ` : "";
        const { text, subsets, rule } = await rulesText(kube, dump, service, port.port, pod.metadata.labels ?? {}, namespace, lead);
        out += text + (await virtualServicePart(kube, dump, service, port.port, subsets, rule, namespace, lead));
        const policies = rbacPolicies(dump, targetOf(pod, port));
        if (policies.length > 0) out += `${lead}RBAC policies: ${policies.join(", ")}\n`;
      }
      return out;
    }),
  );
  return parts.join(RULE);
}

function serviceText(service: KubeObject, pod: KubeObject, namespace: string): string {
  let out = `Service: ${shownName(service, namespace)}\n`;
  for (const port of portsOf(service)) {
    if ((port.protocol ?? "TCP") !== "TCP") continue;
    const target = targetOf(pod, port);
    out += target === undefined ? `   no suitable port for manifest: ${String(port.targetPort)}\n` : `   Port: ${port.name || "<unnamed>"} ${port.port}/${protocolOf(port)} targets pod port ${target}\n`;
  }
  return out;
}

async function rulesText(kube: KubeAccess, dump: ConfigDump, service: KubeObject, port: number, labels: Readonly<Record<string, string>>, namespace: string, lead: string): Promise<{ text: string; subsets: Subsets; rule: KubeObject | undefined }> {
  const found = destinationRuleOf(dump, service, port);
  if (!found) return { text: "", subsets: NO_SUBSETS, rule: undefined };
  const rule = await kube.client.find(DESTINATION_RULES, found.name, found.namespace);
  if (!rule) return { text: `WARNING: Proxy is stale; it references to non-existent destination rule ${found.name}.${found.namespace}\n`, subsets: NO_SUBSETS, rule };
  return { text: lead + destinationRuleText(rule, labels, namespace), subsets: subsetsOf(rule, labels), rule };
}

async function virtualServicePart(kube: KubeAccess, dump: ConfigDump, service: KubeObject, port: number, subsets: Subsets, rule: KubeObject | undefined, namespace: string, lead: string): Promise<string> {
  const found = virtualServiceOf(dump, service, port);
  if (!found) return "";
  const virtualService = await kube.client.find(VIRTUAL_SERVICES, found.name, found.namespace);
  if (!virtualService) return `WARNING: Proxy is stale; it references to non-existent virtual service ${found.name}.${found.namespace}\n`;
  return lead + virtualServiceText(virtualService, service, subsets, rule, namespace);
}

/** Names of the RBAC policies of the inbound chains for a port. */
function rbacPolicies(dump: ConfigDump, port: number | undefined): string[] {
  const chains = listenersOf(dump)
    .filter(({ name }) => name === "virtualInbound")
    .flatMap((listener) => list(listener.filter_chains))
    .filter((chain) => number(object(chain.filter_chain_match).destination_port) === port);
  const names = chains.flatMap(chainRbacFilters).flatMap((filter) => Object.keys(object(object(filter.rules).policies)));
  return [...new Set(names)].sort();
}

async function mtlsText(kube: KubeAccess, pod: KubeObject, namespace: string): Promise<string> {
  const root = await rootNamespace(kube);
  const places = [...new Set([namespace, root])];
  const policies = (await Promise.all(places.map((place) => listOrEmpty(kube.client, PEER_AUTHENTICATIONS, place)))).flat();
  return peerAuthenticationText(effectiveMtls(policies, root, namespace, pod.metadata.labels ?? {}));
}

/** Mesh config's rootNamespace; the control plane's own where it says nothing. */
async function rootNamespace(kube: KubeAccess): Promise<string> {
  const map = await kube.client.find(CONFIG_MAPS, "istio", kube.istioNamespace);
  const mesh: unknown = Bun.YAML.parse((map?.data as Record<string, string> | undefined)?.mesh ?? "{}");
  const root = object(mesh).rootNamespace;
  return typeof root === "string" && root !== "" ? root : kube.istioNamespace;
}

/** How the services are reached through the ingress gateways. */
async function ingressText(kube: KubeAccess, services: readonly KubeObject[], labels: Readonly<Record<string, string>>, namespace: string): Promise<string> {
  const pods = (await kube.client.list(PODS, { labelSelector: "istio=ingressgateway", fieldSelector: "status.phase=Running" })).items;
  if (pods.length === 0) return "Skipping Gateway information (no ingress gateway pods)\n";
  let out = "";
  for (const pod of pods) {
    const gatewayServices = (await kube.client.list(SERVICES, { namespace: pod.metadata.namespace ?? "" })).items.filter((service) => selects(service, pod));
    const dump = await dumpOf(kube, pod);
    for (const service of services) {
      for (const port of portsOf(service)) {
        const { subsets, rule } = await rulesText(kube, dump, service, port.port, labels, namespace, "");
        const text = await virtualServicePart(kube, dump, service, port.port, subsets, rule, namespace, "");
        if (text) out += RULE + gatewayServices.map((gateway) => exposedText(gateway, pod)).join("") + text;
      }
    }
  }
  return out;
}

/** The plain HTTP port only, as istioctl: the others need a Gateway to be listened on. */
function exposedText(service: KubeObject, pod: KubeObject): string {
  const port = portsOf(service).find(({ name }) => name === "http2");
  if (!port || targetOf(pod, port) === undefined) return "";
  const status = service.status as { loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] } } | undefined;
  const ingress = status?.loadBalancer?.ingress?.[0];
  const address = ingress?.ip ?? ingress?.hostname ?? (pod.status as { hostIP?: string } | undefined)?.hostIP ?? "unknown";
  return `Exposed on Ingress Gateway http://${address}${port.port === 80 ? "" : `:${port.port}`}\n`;
}

async function dumpOf(kube: KubeAccess, pod: KubeObject): Promise<ConfigDump> {
  try {
    return parseDump((await kube.request(podRef(pod), ADMIN_PORT, "GET", "config_dump")).body);
  } catch (cause) {
    throw new ChainmailError("PROXY_REQUEST_FAILED", `failed to execute command on sidecar: ${errorText(cause)}`, { cause });
  }
}

function selects(service: KubeObject, pod: KubeObject): boolean {
  const selector = Object.entries((service.spec as { selector?: Record<string, string> } | undefined)?.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

/** A sidecar stands among the containers, or among the init containers where those may go on running. */
function isMeshed(pod: KubeObject): boolean {
  const spec = pod.spec as { containers?: { name: string }[]; initContainers?: { name: string }[] } | undefined;
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ name }) => name === "istio-proxy");
}
