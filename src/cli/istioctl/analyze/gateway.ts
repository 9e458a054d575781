import { createHash } from "node:crypto";
import { parseCertificate } from "../../../pki/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { list, object, strings, text } from "../proxy-config/dump.ts";
import { hasLabels, labelText, namespaceOf, spec, stringMap, type Analyzer, type Finding, type World } from "./world.ts";

export const gatewaySelectors: Analyzer = {
  name: "gateway.IngressGatewayPortAnalyzer",
  description: "Checks a gateway's ports against the gateway's Kubernetes service ports",
  run: (world) =>
    world.kind("Gateway").flatMap((about): Finding[] => {
      const selector = stringMap(spec(about).selector);
      const pods = world.pods(selector);
      if (pods.length === 0) return [{ level: "Error", code: "IST0101", about, message: `Referenced selector not found: ${JSON.stringify(labelText(selector))}` }];
      const services = world.kind("Service").filter((service) => pods.some((pod) => selects(service, pod)));
      const open = new Set(services.flatMap((service) => list(spec(service).ports).flatMap((port) => [Number(port.port), Number(port.targetPort ?? port.port)])));
      const wanted = list(spec(about).servers).map((server) => Number(object(server.port).number));
      return wanted
        .filter((port) => services.length > 0 && !open.has(port))
        .map((port) => ({ level: "Warning", code: "IST0162", about, message: `The gateway is listening on a target port (port ${port}) that is not defined in the Service associated with its workload instances (Pod selector ${labelText(selector)}).` }));
    }),
};

function selects(service: KubeObject, pod: KubeObject): boolean {
  const selector = stringMap(spec(service).selector);
  return namespaceOf(service) === namespaceOf(pod) && Object.keys(selector).length > 0 && hasLabels(pod, selector);
}

export const gatewaySecrets: Analyzer = {
  name: "gateway.SecretAnalyzer",
  description: "Checks a gateway's referenced secrets for correctness",
  run: (world) =>
    world.kind("Gateway").flatMap((about) => {
      const place = workloadNamespace(world, about);
      if (place === undefined) return [];
      return credentials(about).flatMap((name): Finding[] => {
        const secret = world.find("Secret", place, name);
        if (!secret) return [{ level: "Error", code: "IST0101", about, message: `Referenced credentialName not found: ${JSON.stringify(name)}` }];
        return usable(secret) ? [] : [{ level: "Error", code: "IST0161", about, message: `The credential referenced by the Gateway ${about.metadata.name} in namespace ${namespaceOf(about)} is invalid, which can cause the traffic not to work as expected.` }];
      });
    }),
};

function credentials(gateway: KubeObject): string[] {
  return list(spec(gateway).servers).flatMap((server) => {
    const name = text(object(server.tls).credentialName);
    return name === "" ? [] : [name];
  });
}

/** Where the pods run that a gateway selects: secrets are looked up there. */
function workloadNamespace(world: World, gateway: KubeObject): string | undefined {
  const [pod] = world.pods(stringMap(spec(gateway).selector));
  return pod && namespaceOf(pod);
}

/** A certificate that is valid now, and a key: as TLS secrets have them, or as Istio's generic ones. */
function usable(secret: KubeObject): boolean {
  const data = object(secret.data);
  const decode = (field: string): string => Buffer.from(text(data[field]), "base64").toString("utf8");
  const certificate = decode("tls.crt") || decode("cert");
  const key = decode("tls.key") || decode("key");
  if (!certificate || !key) return false;
  try {
    const { notBefore, notAfter } = parseCertificate(certificate);
    return notBefore <= Date.now() && Date.now() < notAfter && /PRIVATE KEY/.test(key);
  } catch {
    return false;
  }
}

export const duplicateCertificates: Analyzer = {
  name: "gateway.CertificateAnalyzer",
  description: "Checks a gateway certificate",
  run(world) {
    const users = new Map<string, KubeObject[]>();
    for (const gateway of world.kind("Gateway")) {
      const place = workloadNamespace(world, gateway);
      for (const name of new Set(credentials(gateway))) {
        const secret = place === undefined ? undefined : world.find("Secret", place, name);
        const certificate = text(object(secret?.data)["tls.crt"]);
        if (!certificate) continue;
        const key = `${place} ${labelText(stringMap(spec(gateway).selector))} ${createHash("sha256").update(certificate).digest("hex")}`;
        users.set(key, [...(users.get(key) ?? []), gateway]);
      }
    }
    return [...users.values()].flatMap((gateways) => {
      if (gateways.length < 2) return [];
      const names = gateways.map((gateway) => `${namespaceOf(gateway)}/${gateway.metadata.name}`).sort().join(" ");
      return gateways.map((about): Finding => ({ level: "Warning", code: "IST0138", about, message: `Duplicate certificate in multiple gateways [${names}] may cause 404s if clients re-use HTTP2 connections.` }));
    });
  },
};

export const conflictingGateways: Analyzer = {
  name: "gateway.ConflictingGatewayAnalyzer",
  description: "Checks a gateway's selector, port number and hosts",
  run(world) {
    const gateways = world.kind("Gateway");
    return gateways.flatMap((about) => {
      const selector = labelText(stringMap(spec(about).selector));
      return list(spec(about).servers).flatMap((server): Finding[] => {
        const port = Number(object(server.port).number);
        const hosts = new Set(strings(server.hosts));
        const others = gateways.filter((other) => other !== about && labelText(stringMap(spec(other).selector)) === selector && list(spec(other).servers).some((candidate) => Number(object(candidate.port).number) === port && strings(candidate.hosts).some((host) => hosts.has(host))));
        if (others.length === 0) return [];
        const names = others.map((other) => `${namespaceOf(other)}/${other.metadata.name}`).sort().join(",");
        return [{ level: "Error", code: "IST0145", about, message: `Conflict with gateways ${names} (workload selector ${selector}, port ${port}, hosts ${[...hosts].join(",")}).` }];
      });
    });
  },
};
