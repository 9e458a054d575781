/**
 * What the mesh of the benchmark consists of: services over ten namespaces, ten endpoints each, and a pod a proxy.
 * 90 % are HTTP on shared ports, 10 % TCP with a listener each; no Sidecar narrows anything, so every proxy sees all.
 */
import { meshManifests } from "../../src/controlplane/install/index.ts";
import type { KubeObject } from "../../src/resources/index.ts";

export const NAMESPACES = 10;
/** Proxy j is an endpoint of service j % 200, so each has inbound listeners, and ten proxies stand behind each service. */
export const SERVED = 200;
const ENDPOINTS = 10;
const HTTP_PORTS = [80, 8080, 9080];
const TCP_PORT = 5432;
const CREATED = "2026-01-01T00:00:00Z";

export interface WorldService {
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
}

export function serviceOf(index: number): WorldService {
  return { name: `svc-${index}`, namespace: `app-${index % NAMESPACES}`, port: index % 10 === 9 ? TCP_PORT : (HTTP_PORTS[index % 3] as number) };
}

/** The pod of a proxy. Its labels are what injection writes. */
export function podOf(index: number): { name: string; namespace: string; ip: string; labels: Record<string, string>; serviceAccount: string } {
  const service = serviceOf(index % SERVED);
  return {
    name: `${service.name}-${Math.floor(index / SERVED)}`,
    namespace: service.namespace,
    ip: `10.20.${index >> 8}.${index & 255}`,
    labels: {
      app: service.name,
      "security.istio.io/tlsMode": "istio",
      "service.istio.io/canonical-name": service.name,
      "service.istio.io/canonical-revision": "latest",
    },
    serviceAccount: "default",
  };
}

/** The EndpointSlice of a service; `moved` says where its last endpoint is instead. */
export function sliceOf(index: number, pods: number, moved?: string): KubeObject {
  const { name, namespace, port } = serviceOf(index);
  const endpoints = Array.from({ length: ENDPOINTS }, (_, place) => {
    const proxy = index + place * SERVED;
    const conditions = { ready: true, serving: true, terminating: false };
    if (index >= SERVED || proxy >= pods) return { addresses: [`10.${60 + (index >> 8)}.${index & 255}.${place + 1}`], conditions };
    const pod = podOf(proxy);
    return { addresses: [pod.ip], conditions, targetRef: { kind: "Pod", name: pod.name, namespace: pod.namespace } };
  });
  if (moved) endpoints[ENDPOINTS - 1] = { addresses: [moved], conditions: { ready: true, serving: true, terminating: false } };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-x`, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: portName(port), port, protocol: "TCP" }],
    endpoints,
  } as KubeObject;
}

/** The objects in stages: each needs those before it. */
export function worldOf(services: number, pods: number): KubeObject[][] {
  const mesh = meshManifests();
  const of = (...kinds: string[]) => mesh.filter(({ kind }) => kinds.includes(kind));
  const namespaces = Array.from({ length: NAMESPACES }, (_, index): KubeObject => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: `app-${index}` },
  }));
  const accounts = ["istio-system", ...namespaces.map(({ metadata }) => metadata.name)].map((namespace): KubeObject => ({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace },
  }));
  return [
    [...of("Namespace", "CustomResourceDefinition"), ...namespaces],
    [...of("ServiceAccount", "ConfigMap"), ...accounts],
    Array.from({ length: services }, (_, index) => kubeService(index)),
    Array.from({ length: pods }, (_, index) => kubePod(index)),
    Array.from({ length: services }, (_, index) => sliceOf(index, pods)),
  ];
}

function kubeService(index: number): KubeObject {
  const { name, namespace, port } = serviceOf(index);
  const clusterIP = `10.96.${(index >> 8) + 1}.${index & 255}`;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, creationTimestamp: CREATED },
    spec: { clusterIP, clusterIPs: [clusterIP], selector: { app: name }, ports: [{ name: portName(port), port, targetPort: port, protocol: "TCP" }] },
  } as KubeObject;
}

function kubePod(index: number): KubeObject {
  const { name, namespace, ip, labels, serviceAccount } = podOf(index);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: { serviceAccountName: serviceAccount, nodeName: "node-0", containers: [{ name: "app", image: "app" }] },
    status: { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] },
  } as KubeObject;
}

function portName(port: number): string {
  return port === TCP_PORT ? "tcp" : "http";
}
