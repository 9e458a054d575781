import { X509Certificate } from "node:crypto";
import type { KubeObject } from "../../../resources/types.ts";
import { type Analyzer, type Finding, goList, notFound } from "./findings.ts";
import {
  contains,
  fullName,
  hasLabels,
  labelText,
  type Labels,
  list,
  namespaceOf,
  object,
  spec,
  stringMap,
  strings,
  text,
  type Json,
  type World,
} from "./world.ts";

function selectorOf(gateway: KubeObject): Labels {
  return stringMap(spec(gateway).selector);
}

function selectorMissing(about: KubeObject): Finding {
  const selector = labelText(selectorOf(about));
  return notFound(about, "selector", selector, selectorPath(selector));
}

/** The line of a selector is that of its first label. */
function selectorPath(selector: string): string {
  return `.spec.selector.${selector.includes("=") ? selector.slice(0, selector.indexOf("=")) : ""}`;
}

export const gatewayPorts: Analyzer = {
  name: "gateway.IngressGatewayPortAnalyzer",
  description: "Checks a gateway's ports against the gateway's Kubernetes service ports",
  needs: ["Pod", "Service"],
  run: (world) =>
    world.kind("Gateway").flatMap((about): Finding[] => {
      const pods = world.pods(selectorOf(about));
      if (pods.length === 0) return [selectorMissing(about)];
      const open = openPorts(world, pods);
      const selector = labelText(selectorOf(about));
      return list(spec(about).servers)
        .filter(({ port }) => port !== undefined)
        .map(({ port }) => Number(object(port).number ?? 0))
        .filter((port) => !open.has(port))
        .map((port) => ({
          code: "IST0162",
          about,
          message: `The gateway is listening on a target port (port ${port}) that is not defined in the Service associated with its workload instances (Pod selector ${selector}). If you need to access the gateway port through the gateway Service, it will not be available.`,
          path: selectorPath(selector),
        }));
    }),
};

/** Ports of the services before pods: where they lead, and what leads there. */
function openPorts(world: World, pods: readonly KubeObject[]): Set<number> {
  const open = new Set<number>();
  for (const pod of pods) {
    for (const service of world.kind("Service")) {
      if (namespaceOf(service) !== namespaceOf(pod) || !contains(pod.metadata.labels ?? {}, stringMap(spec(service).selector))) continue;
      for (const port of list(spec(service).ports)) {
        if (port.protocol !== "TCP") continue;
        const target = Number.parseInt(String(port.targetPort ?? ""), 10);
        if (target > 0 && String(target) === String(port.targetPort)) open.add(target);
        open.add(Number(port.port));
      }
    }
  }
  return open;
}

export const duplicateCertificates: Analyzer = {
  name: "gateway.CertificateAnalyzer",
  description: "Checks a gateway certificate",
  needs: [],
  run(world) {
    const gateways = world.kind("Gateway");
    return gateways.flatMap((about) => {
      const selector = selectorOf(about);
      const others = gateways.filter((other) => other !== about && (Object.keys(selector).length === 0 || selectorSubset(selector, selectorOf(other))));
      return others.flatMap((other) => {
        const shared = list(spec(about).servers).some((server) => list(spec(other).servers).some((theirs) => sameCertificate(server.tls, theirs.tls)));
        if (!shared) return [];
        return [
          {
            code: "IST0138",
            about,
            message: `Duplicate certificate in multiple gateways ${goList([fullName(about), fullName(other)])} may cause 404s if clients re-use HTTP2 connections.`,
            path: ".metadata.name",
          },
        ];
      });
    });
  },
};

function sameCertificate(first: unknown, second: unknown): boolean {
  if (first === undefined || second === undefined) return false;
  const [a, b] = [object(first), object(second)];
  const [credential, other] = [text(a.credentialName), text(b.credentialName)];
  if (credential !== "" || other !== "") return credential === other;
  return text(a.serverCertificate) !== "" && a.serverCertificate === b.serverCertificate && text(a.privateKey) !== "" && a.privateKey === b.privateKey;
}

function selectorSubset(part: Labels, whole: Labels): boolean {
  return contains(whole, part);
}

export const gatewaySecrets: Analyzer = {
  name: "gateway.SecretAnalyzer",
  description: "Checks a gateway's referenced secrets for correctness",
  needs: ["Pod", "Secret"],
  run: (world) =>
    world.kind("Gateway").flatMap((about): Finding[] => {
      const pod = world.pods(selectorOf(about))[0];
      if (!pod) return [selectorMissing(about)];
      const namespace = namespaceOf(pod);
      return list(spec(about).servers).flatMap((server, index): Finding[] => {
        const credential = text(object(server.tls).credentialName);
        if (credential === "") return [];
        const path = `.spec.servers[${index}].tls.credentialName`;
        const slash = credential.indexOf("/");
        const secret = slash < 0 ? world.find("Secret", namespace, credential) : world.find("Secret", credential.slice(0, slash), credential.slice(slash + 1));
        if (!secret) return [notFound(about, "credentialName", credential, path)];
        if (usable(secret)) return [];
        return [
          {
            code: "IST0161",
            about,
            message: `The credential referenced by the Gateway ${about.metadata.name} in namespace ${namespace} is invalid, which can cause the traffic not to work as expected.`,
            path,
          },
        ];
      });
    }),
};

/** Whether a secret holds a key and a certificate that is in force. */
function usable({ data }: KubeObject): boolean {
  const fields = object(data);
  const pair = [
    ["cert", "key"],
    ["tls.crt", "tls.key"],
  ].find((names) => names.every((name) => text(fields[name]) !== ""));
  if (!pair) return false;
  try {
    // What follows the first certificate is its chain.
    const { validFrom, validTo } = new X509Certificate(Buffer.from(text(fields[pair[0] ?? ""]), "base64"));
    return Date.parse(validFrom) <= Date.now() && Date.now() <= Date.parse(validTo);
  } catch {
    return false;
  }
}

export const conflictingGateways: Analyzer = {
  name: "gateway.ConflictingGatewayAnalyzer",
  description: "Checks a gateway's selector, port number and hosts",
  needs: ["Pod"],
  run(world) {
    const gateways = world.kind("Gateway");
    return gateways.flatMap((about): Finding[] => {
      const selector = labelText(selectorOf(about));
      const related = gateways.filter((other) => list(spec(other).servers).length > 0 && reachSamePods(world, selectorOf(about), selectorOf(other)));
      // A gateway without servers finds itself nowhere.
      if (selector !== "" && related.length === 0) return [selectorMissing(about)];
      return list(spec(about).servers).flatMap((server): Finding[] => {
        const port = Number(object(server.port).number ?? 0);
        const rivals = related.filter((other) => fullName(other) !== fullName(about) && hostsCollide(server, lastServerAt(other, port)));
        if (rivals.length === 0) return [];
        return [
          {
            code: "IST0145",
            about,
            message: `Conflict with gateways ${rivals.map(fullName).sort().join(",")} (workload selector ${selector}, port ${port}, hosts ${strings(server.hosts).join(",")}).`,
          },
        ];
      });
    });
  },
};

/** Equal selectors, or one that is part of the other's text and a pod that both choose. */
function reachSamePods(world: World, first: Labels, second: Labels): boolean {
  const [one, other] = [labelText(first), labelText(second)];
  if (one === other) return true;
  return (one.includes(other) || other.includes(one)) && world.kind("Pod").some((pod) => hasLabels(pod, first) && hasLabels(pod, second));
}

/** Of several servers at a port the last one counts. */
function lastServerAt(gateway: KubeObject, port: number): Json | undefined {
  return list(spec(gateway).servers).findLast((server) => Number(object(server.port).number ?? 0) === port);
}

function hostsCollide(server: Json, other: Json | undefined): boolean {
  if (!other || text(server.bind) !== text(other.bind)) return false;
  const taken = new Set(strings(other.hosts));
  return strings(server.hosts).some((host) => taken.has(host));
}
