import type { KubeObject } from "../../resources/types.ts";
import type { PodView, ServiceView } from "../server/mesh-view.ts";
import { ROOT_NAMESPACE } from "../server/mesh-view.ts";
import { type Fields, fields, list, text } from "./fields.ts";
import { objectKey } from "./istio-kinds.ts";

/** One thing found about an object, with Kiali's code where Kiali has one for it. https://kiali.io/docs/features/validations/ */
export interface Check {
  code: string;
  message: string;
  severity: "error" | "warning";
  /** Into the object, as `spec/http[0]/route[0]/destination/host`. */
  path: string;
}

export interface ValidationWorld {
  /** Istio's objects by kind. */
  objects: ReadonlyMap<string, readonly KubeObject[]>;
  services: readonly ServiceView[];
  pods: readonly PodView[];
  serviceAccounts: readonly KubeObject[];
  trustDomain: string;
}

/** What is wrong between objects: names that lead nowhere, selectors that select nothing, policies that shadow each other. Pure. */
export function validate(world: ValidationWorld): Map<string, Check[]> {
  const found = new Map<string, Check[]>();
  const names = new HostNames(world);
  const checks: Record<string, (object: KubeObject, add: (check: Check) => void) => void> = {
    VirtualService: (object, add) => checkVirtualService(object, world, names, add),
    DestinationRule: (object, add) => checkDestinationRule(object, names, add),
    AuthorizationPolicy: (object, add) => checkAuthorizationPolicy(object, world, add),
    PeerAuthentication: (object, add) => checkPeerAuthentication(object, world, add),
    Gateway: (object, add) => checkGateway(object, world, add),
  };
  for (const [kind, objects] of world.objects) {
    for (const object of objects) {
      const list: Check[] = [];
      checks[kind]?.(object, (check) => list.push(check));
      if (["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "Sidecar", "Telemetry", "WasmPlugin"].includes(kind))
        checkSelector(object, world, (check) => list.push(check));
      found.set(objectKey(object), list);
    }
  }
  return found;
}

function checkSelector(object: KubeObject, { pods }: ValidationWorld, add: (check: Check) => void): void {
  const spec = fields(object.spec);
  const selector = fields(fields(spec.selector).matchLabels ?? fields(spec.workloadSelector).labels);
  const namespace = object.metadata.namespace ?? "";
  if (Object.keys(selector).length === 0) return;
  const anywhere = namespace === ROOT_NAMESPACE && object.kind !== "PeerAuthentication";
  const selected = pods.some(
    (pod) => (anywhere || pod.metadata.namespace === namespace) && Object.entries(selector).every(([name, value]) => pod.metadata.labels?.[name] === value),
  );
  if (!selected) add({ code: "KIA0004", message: "No matching workload found for the selector in this namespace", severity: "warning", path: "spec/selector" });
}

function checkPeerAuthentication(object: KubeObject, { objects }: ValidationWorld, add: (check: Check) => void): void {
  const spec = fields(object.spec);
  const selector = fields(fields(spec.selector).matchLabels);
  if (Object.keys(selector).length === 0) {
    const others = (objects.get("PeerAuthentication") ?? []).filter(
      (other) => other.metadata.namespace === object.metadata.namespace && Object.keys(fields(fields(fields(other.spec).selector).matchLabels)).length === 0,
    );
    if (others.length > 1)
      add({
        code: "KIA0505",
        message: "More than one selector-less PeerAuthentication in the same namespace: only the oldest counts",
        severity: "error",
        path: "metadata/name",
      });
  }
  if (fields(spec.mtls).mode !== "STRICT") return;
  // A client that is told to speak plaintext cannot reach a server that takes mutual TLS only.
  for (const rule of objects.get("DestinationRule") ?? []) {
    const mode = fields(fields(fields(rule.spec).trafficPolicy).tls).mode;
    const host = text(fields(rule.spec).host);
    const covered =
      object.metadata.namespace === ROOT_NAMESPACE || host.includes(`.${object.metadata.namespace}.`) || rule.metadata.namespace === object.metadata.namespace;
    if (mode === "DISABLE" && covered && Object.keys(selector).length === 0)
      add({
        code: "KIA0501",
        message: `DestinationRule ${rule.metadata.namespace}/${rule.metadata.name} disables mTLS for ${host}: its clients will be refused`,
        severity: "error",
        path: "spec/mtls",
      });
  }
}

function checkAuthorizationPolicy(object: KubeObject, { serviceAccounts, trustDomain, pods }: ValidationWorld, add: (check: Check) => void): void {
  const namespaces = new Set(pods.map((pod) => pod.metadata.namespace));
  const accounts = new Set(serviceAccounts.map(({ metadata }) => `${metadata.namespace}/sa/${metadata.name}`));
  for (const [i, rule] of list(fields(object.spec).rules).entries()) {
    for (const [j, from] of list(fields(rule).from).entries()) {
      const source = fields(fields(from).source);
      for (const [k, principal] of list(source.principals).entries()) {
        const match = /^(?:spiffe:\/\/)?([^/*]+)\/ns\/([^/*]+)\/sa\/([^/*]+)$/.exec(text(principal));
        if (!match) continue;
        const [, domain, namespace, account] = match;
        if (domain !== trustDomain && domain !== "cluster.local")
          add({
            code: "KIA0107",
            message: `Trust domain ${domain} is not this mesh's (${trustDomain})`,
            severity: "warning",
            path: `spec/rules[${i}]/from[${j}]/source/principals[${k}]`,
          });
        else if (!accounts.has(`${namespace}/sa/${account}`))
          add({
            code: "KIA0106",
            message: "Service Account not found for this principal",
            severity: "error",
            path: `spec/rules[${i}]/from[${j}]/source/principals[${k}]`,
          });
      }
      for (const [k, namespace] of list(source.namespaces).entries()) {
        if (!text(namespace).includes("*") && !namespaces.has(text(namespace)))
          add({
            code: "KIA0101",
            message: "Namespace not found for this rule",
            severity: "warning",
            path: `spec/rules[${i}]/from[${j}]/source/namespaces[${k}]`,
          });
      }
    }
  }
}

function checkVirtualService(object: KubeObject, { objects }: ValidationWorld, names: HostNames, add: (check: Check) => void): void {
  const spec = fields(object.spec);
  const namespace = object.metadata.namespace ?? "";
  for (const [i, name] of list(spec.gateways).entries()) {
    const gateway = text(name);
    if (gateway === "mesh") continue;
    const [ns, gw] = gateway.includes("/") ? gateway.split("/") : [namespace, gateway];
    if (!objects.get("Gateway")?.some(({ metadata }) => metadata.namespace === ns && metadata.name === gw))
      add({ code: "KIA1102", message: "VirtualService is pointing to a non-existent gateway", severity: "error", path: `spec/gateways[${i}]` });
  }
  for (const protocol of ["http", "tcp", "tls"] as const) {
    for (const [i, route] of list(spec[protocol]).entries()) {
      const targets = list(fields(route).route);
      for (const [j, target] of targets.entries()) {
        const destination = fields(fields(target).destination);
        const host = text(destination.host);
        const path = `spec/${protocol}[${i}]/route[${j}]/destination`;
        if (!names.knows(host, namespace))
          add({
            code: "KIA1101",
            message: "DestinationWeight on route doesn't have a valid service (host not found)",
            severity: "error",
            path: `${path}/host`,
          });
        else if (destination.subset !== undefined && !names.hasSubset(host, namespace, text(destination.subset)))
          add({ code: "KIA1107", message: "Subset not found", severity: "warning", path: `${path}/subset` });
      }
      const weights = targets.map((target) => fields(target).weight).filter((weight) => typeof weight === "number");
      if (targets.length > 1 && weights.length > 0 && weights.length < targets.length)
        add({
          code: "KIA1106",
          message: "Some destinations of the route have no weight: they get none of the traffic",
          severity: "warning",
          path: `spec/${protocol}[${i}]/route`,
        });
    }
  }
}

function checkDestinationRule(object: KubeObject, names: HostNames, add: (check: Check) => void): void {
  const spec = fields(object.spec);
  const namespace = object.metadata.namespace ?? "";
  const host = text(spec.host);
  if (!names.knows(host, namespace))
    add({
      code: "KIA0202",
      message: "This host has no matching entry in the service registry (service, workload or service entries)",
      severity: "error",
      path: "spec/host",
    });
  for (const [i, subset] of list(spec.subsets).entries()) {
    const labels = fields(fields(subset).labels);
    if (Object.keys(labels).length === 0) add({ code: "KIA0209", message: "This subset has not labels", severity: "warning", path: `spec/subsets[${i}]` });
    else if (names.knows(host, namespace) && !names.hasPods(host, namespace, labels))
      add({ code: "KIA0203", message: "This subset's labels are not found in any matching host", severity: "warning", path: `spec/subsets[${i}]` });
  }
}

function checkGateway(object: KubeObject, { pods, objects }: ValidationWorld, add: (check: Check) => void): void {
  const spec = fields(object.spec);
  const selector = fields(spec.selector);
  if (Object.keys(selector).length > 0 && !pods.some((pod) => Object.entries(selector).every(([name, value]) => pod.metadata.labels?.[name] === value))) {
    add({ code: "KIA0302", message: "No matching workload found for gateway selector in this namespace", severity: "warning", path: "spec/selector" });
  }
  const claims = (gateway: KubeObject) =>
    list(fields(gateway.spec).servers).flatMap((server, i) =>
      list(fields(server).hosts).map((host) => ({
        i,
        claim: `${JSON.stringify(fields(gateway.spec).selector)} ${text(host)} ${String(fields(fields(server).port).number)}`,
      })),
    );
  const others = new Set((objects.get("Gateway") ?? []).filter((other) => other !== object).flatMap((other) => claims(other).map(({ claim }) => claim)));
  for (const { i, claim } of claims(object))
    if (others.has(claim))
      add({ code: "KIA0301", message: "More than one Gateway for the same host port combination", severity: "warning", path: `spec/servers[${i}]/hosts` });
}

/** Which hosts and subsets there are, by the names that Istio's resources use for them. */
class HostNames {
  constructor(private readonly world: ValidationWorld) {}

  knows(host: string, namespace: string): boolean {
    if (host === "" || host.startsWith("*") || this.#service(host, namespace)) return true;
    return (this.world.objects.get("ServiceEntry") ?? []).some((entry) =>
      list(fields(entry.spec).hosts).some((name) => text(name) === host || (text(name).startsWith("*.") && host.endsWith(text(name).slice(1)))),
    );
  }

  hasSubset(host: string, namespace: string, subset: string): boolean {
    const full = this.#full(host, namespace);
    return (this.world.objects.get("DestinationRule") ?? []).some(
      (rule) =>
        this.#full(text(fields(rule.spec).host), rule.metadata.namespace ?? "") === full &&
        list(fields(rule.spec).subsets).some((s) => fields(s).name === subset),
    );
  }

  hasPods(host: string, namespace: string, labels: Fields): boolean {
    const service = this.#service(host, namespace);
    // What a ServiceEntry or a wildcard stands for is not known here.
    if (!service) return true;
    const wanted = { ...service.spec?.selector, ...labels };
    return this.world.pods.some(
      (pod) => pod.metadata.namespace === service.metadata.namespace && Object.entries(wanted).every(([name, value]) => pod.metadata.labels?.[name] === value),
    );
  }

  #service(host: string, namespace: string): ServiceView | undefined {
    const full = this.#full(host, namespace);
    return this.world.services.find(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.cluster.local` === full);
  }

  #full(host: string, namespace: string): string {
    const parts = host.split(".");
    if (parts.length === 1) return `${host}.${namespace}.svc.cluster.local`;
    if (parts.length === 2) return `${host}.svc.cluster.local`;
    return parts.length === 3 && parts[2] === "svc" ? `${host}.cluster.local` : host;
  }
}
