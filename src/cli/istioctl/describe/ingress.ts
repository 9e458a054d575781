import { DESTINATION_RULES, GATEWAYS, PODS, SERVICES, VIRTUAL_SERVICES } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import type { KubeAccess } from "../kube-access.ts";
import { object, strings } from "../proxy-config/dump.ts";
import { ADMIN_PORT, dumpOf, labelsMatch } from "./pods.ts";
import { destinationRuleOf, virtualServiceOf } from "./names.ts";
import { portsOf, protocolOf, targetOf } from "./ports.ts";
import { NO_SUBSETS, subsetsOf, virtualServiceText, type Labels } from "./traffic.ts";

/** A service before ingress gateways, and those of their pods that it selects. */
interface Ingress {
  readonly service: KubeObject;
  readonly pods: readonly KubeObject[];
}

const RULE = "--------------------\n";

/** How services are reached through the ingress gateways: each Gateway once, with the VirtualService that uses it. */
export async function ingressText(kube: KubeAccess, services: readonly KubeObject[], labels: readonly Labels[], adminPort = ADMIN_PORT): Promise<string> {
  const pods = (await kube.client.list(PODS, { labelSelector: "istio=ingressgateway", fieldSelector: "status.phase=Running" })).items;
  if (pods.length === 0) return "Skipping Gateway information (no ingress gateway pods)\n";
  const ingresses = await ingressesOf(kube, pods);
  let out = ingresses.length === 0 ? "Skipping Gateway information (no ingress gateway service)\n" : "";
  const told = new Set<string>();
  for (const pod of pods) {
    const dump = await dumpOf(kube, pod, "ingress gateway sidecar", adminPort);
    for (const service of services) {
      for (const { port } of portsOf(service)) {
        const ruleName = destinationRuleOf(dump, service, port);
        const rule = ruleName && (await kube.client.find(DESTINATION_RULES, ruleName.name, ruleName.namespace));
        if (ruleName && !rule) out += `WARNING: Proxy is stale; it references to non-existent destination rule ${ruleName.name}.${ruleName.namespace}\n`;
        const name = virtualServiceOf(dump, service, port);
        if (!name) continue;
        const virtualService = await kube.client.find(VIRTUAL_SERVICES, name.name, name.namespace);
        if (!virtualService) {
          out += `WARNING: Proxy is stale; it references to non-existent virtual service ${name.name}.${name.namespace}\n`;
          continue;
        }
        const text = virtualServiceText(virtualService, { service, rule, subsets: rule ? subsetsOf(rule, labels) : NO_SUBSETS }, kube.namespace);
        for (const gateway of strings(object(virtualService.spec).gateways)) out += await gatewayText(kube, gateway, name.namespace, ingresses, text, told);
      }
    }
  }
  return out;
}

async function ingressesOf(kube: KubeAccess, pods: readonly KubeObject[]): Promise<Ingress[]> {
  const namespaces = [...new Set(pods.map(({ metadata }) => metadata.namespace ?? ""))].sort();
  const found = await Promise.all(
    namespaces.map(async (namespace) => {
      const services = (await kube.client.list(SERVICES, { namespace })).items;
      return services.map((service) => ({
        service,
        pods: pods.filter((pod) => pod.metadata.namespace === namespace && labelsMatch(selectorOf(service), pod)),
      }));
    }),
  );
  return found.flat().filter((ingress) => ingress.pods.length > 0);
}

async function gatewayText(
  kube: KubeAccess,
  gateway: string,
  namespace: string,
  ingresses: readonly Ingress[],
  virtualService: string,
  told: Set<string>,
): Promise<string> {
  if (gateway === "" || gateway === "mesh") return "";
  const slash = gateway.indexOf("/");
  const [place, name] = slash < 0 ? [namespace, gateway] : [gateway.slice(0, slash), gateway.slice(slash + 1)];
  const id = `${place}/${name}`;
  if (told.has(id)) return "";
  const found = await kube.client.find(GATEWAYS, name, place);
  if (!found) return `WARNING: Proxy is stale; it references to non-existent gateway ${id}\n`;
  told.add(id);
  const selector = object(found.spec).selector;
  if (selector === undefined) return `Ingress Gateway ${id} be applied all workloads`;
  const exposed = ingresses
    .filter(({ pods }) => pods.some((pod) => labelsMatch(object(selector) as Labels, pod)))
    .sort((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1));
  return exposed.length === 0 ? "" : `${RULE}${exposed.map(exposedText).join("")}${virtualService}`;
}

/** The plain HTTP ports only: a gateway's service has others that nothing listens on until a Gateway says so. */
function exposedText(ingress: Ingress): string {
  return portsOf(ingress.service)
    .filter(
      (port) =>
        (port.protocol ?? "TCP") === "TCP" &&
        (port.name === "http2" || port.name === "http") &&
        ingress.pods[0] &&
        targetOf(ingress.pods[0], port) !== undefined,
    )
    .map((port) => {
      const scheme = ["HTTP", "HTTP2"].includes(protocolOf(port)) ? "http" : "";
      return `Exposed on Ingress Gateway ${scheme}://${addressOf(ingress)}${scheme === "http" && port.port === 80 ? "" : `:${port.port}`}\n`;
    })
    .join("");
}

function addressOf({ service, pods }: Ingress): string {
  const ingress = (service.status as { loadBalancer?: { ingress?: { ip?: string }[] } } | undefined)?.loadBalancer?.ingress ?? [];
  if (ingress.length > 0) return ingress[0]?.ip ?? "";
  return (pods[0]?.status as { hostIP?: string } | undefined)?.hostIP || "unknown";
}

function selectorOf(service: KubeObject): Labels {
  return (service.spec as { selector?: Labels } | undefined)?.selector ?? {};
}
