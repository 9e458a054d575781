import type { KubeObject } from "../../../resources/types.ts";
import { type Analyzer, type Finding, goList } from "./findings.ts";
import {
  contains,
  containersOf,
  fullName,
  inMesh,
  isControlPlane,
  list,
  namespaceOf,
  object,
  spec,
  stringMap,
  templateOf,
  type Json,
  type World,
} from "./world.ts";

const NAME = ".metadata.name";
/** What proxies run as, and what capture lets pass. */
const PROXY_UID = 1337;

export const applicationUid: Analyzer = {
  name: "applicationUID.Analyzer",
  description: "Checks invalid application UID",
  needs: ["Pod"],
  run(world) {
    const runs = [
      ...world.kind("Pod").map((about) => ({ about, pod: spec(about) })),
      ...world.kind("Deployment").map((about) => ({ about, pod: templateOf(about).spec })),
    ];
    return runs
      .filter(({ about, pod }) => !isControlPlane(about) && usesProxyUid(pod))
      .map(({ about }) => ({ code: "IST0144", about, message: `User ID (UID) ${PROXY_UID} is reserved for the sidecar proxy.` }));
  },
};

function usesProxyUid(pod: Json): boolean {
  const applications = containersOf(pod).filter(({ name }) => name !== "istio-proxy" && name !== "istio-operator");
  return [pod, ...applications].some(({ securityContext }) => object(securityContext).runAsUser === PROXY_UID);
}

export const multipleServices: Analyzer = {
  name: "deployment.MultiServiceAnalyzer",
  description: "Checks association between services and pods",
  needs: ["Service", "Namespace"],
  run: (world) =>
    world
      .kind("Deployment")
      .filter((deployment) => isMeshDeployment(world, deployment))
      .flatMap((about) => [...protocolConflicts(world, about), ...targetPortConflicts(world, about)]),
};

function isMeshDeployment(world: World, deployment: KubeObject): boolean {
  if (deployment.metadata.labels?.["gateway.istio.io/managed"] === "istio.io-mesh-controller") return false;
  const { spec: pod, labels, annotations } = templateOf(deployment);
  return inMesh(world, { labels, annotations, containers: containersOf(pod), namespace: namespaceOf(deployment) });
}

function servicesOf(world: World, deployment: KubeObject): KubeObject[] {
  const { labels } = templateOf(deployment);
  return world.kind("Service").filter((service) => {
    const selector = stringMap(spec(service).selector);
    return Object.keys(selector).length > 0 && contains(labels, selector) && namespaceOf(service) === namespaceOf(deployment);
  });
}

/** One port that services open with different transport protocols. */
function protocolConflicts(world: World, about: KubeObject): Finding[] {
  const ports = new Map<number, Map<string, string[]>>();
  for (const service of servicesOf(world, about)) {
    for (const port of list(spec(service).ports)) {
      const protocols = ports.get(Number(port.port)) ?? new Map<string, string[]>();
      ports.set(Number(port.port), protocols);
      const protocol = typeof port.protocol === "string" ? port.protocol : "TCP";
      protocols.set(protocol, [...(protocols.get(protocol) ?? []), fullName(service)]);
    }
  }
  return [...ports]
    .filter(([, protocols]) => protocols.size > 1)
    .map(([port, protocols]) => ({
      code: "IST0116",
      about,
      message: `This deployment ${about.metadata.name} is associated with multiple services using port ${port} but different protocols: ${goList([...protocols.values()].flat().sort())}`,
      path: NAME,
    }));
}

/** One port of the pods that services lead to from different ports. */
function targetPortConflicts(world: World, about: KubeObject): Finding[] {
  const targets = new Map<string, Map<number, string>>();
  for (const service of servicesOf(world, about)) {
    for (const port of list(spec(service).ports)) {
      const target = String(port.targetPort ?? "");
      const key = target === "0" || target === "" ? String(port.port) : target;
      targets.set(key, (targets.get(key) ?? new Map<number, string>()).set(Number(port.port), fullName(service)));
    }
  }
  return [...targets]
    .filter(([, ports]) => ports.size > 1)
    .map(([target, ports]) => ({
      code: "IST0137",
      about,
      message: `This deployment ${about.metadata.name} is associated with multiple services ${goList([...ports.values()].sort())} using targetPort ${JSON.stringify(target)} but different ports: ${goList([...ports.keys()].sort((a, b) => a - b))}.`,
      path: NAME,
    }));
}
