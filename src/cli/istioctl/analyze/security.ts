import type { KubeObject } from "../../../resources/types.ts";
import { list, object, strings, text } from "../proxy-config/dump.ts";
import { fullHost, hasLabels, labelText, namespaceOf, spec, stringMap, type Analyzer, type Finding } from "./world.ts";

export const authorizationPolicies: Analyzer = {
  name: "auth.AuthorizationPoliciesAnalyzer",
  description: "Checks the validity of authorization policies",
  run: (world) =>
    world.kind("AuthorizationPolicy").flatMap((about) => {
      const findings: Finding[] = [];
      const labels = stringMap(object(spec(about).selector).matchLabels);
      // A policy of the root namespace reaches workloads everywhere.
      const place = namespaceOf(about) === world.rootNamespace ? undefined : namespaceOf(about);
      if (Object.keys(labels).length > 0 && world.pods(labels, place).length === 0) {
        findings.push({ level: "Warning", code: "IST0127", about, message: `No matching workloads for this resource with the following labels: ${labelText(labels)}` });
      }
      const namespaces = list(spec(about).rules).flatMap((rule) => list(rule.from).flatMap(({ source }) => strings(object(source).namespaces)));
      for (const pattern of new Set(namespaces)) {
        if (world.kind("Namespace").some(({ metadata }) => nameMatches(pattern, metadata.name))) continue;
        findings.push({ level: "Error", code: "IST0101", about, message: `Referenced namespace not found: ${JSON.stringify(pattern)}` });
      }
      return findings;
    }),
};

/** A name, a prefix before `*`, or a suffix behind it. */
function nameMatches(pattern: string, name: string): boolean {
  if (pattern === "*") return true;
  if (pattern.startsWith("*")) return name.endsWith(pattern.slice(1));
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

export const serverVerification: Analyzer = {
  name: "destinationrule.CaCertificateAnalyzer",
  description: "Checks if caCertificates is set when TLS mode is SIMPLE/MUTUAL",
  run: (world) =>
    world.kind("DestinationRule").flatMap((about) => {
      const policy = object(spec(about).trafficPolicy);
      const where = `DestinationRule ${about.metadata.name} in namespace ${namespaceOf(about)}`;
      const host = text(spec(about).host);
      const findings: Finding[] = [];
      const mode = unverified(policy.tls);
      if (mode) findings.push({ level: "Error", code: "IST0128", about, message: `${where} has TLS mode set to ${mode} but no caCertificates are set to validate server identity for host: ${host}` });
      for (const setting of list(policy.portLevelSettings)) {
        const portMode = unverified(setting.tls);
        if (portMode) findings.push({ level: "Error", code: "IST0129", about, message: `${where} has TLS mode set to ${portMode} but no caCertificates are set to validate server identity for host: ${host} at port number:${String(object(setting.port).number)}` });
      }
      return findings;
    }),
};

/** The TLS mode, where it would take any server's certificate. */
function unverified(tls: unknown): string | undefined {
  const { mode, caCertificates, credentialName } = object(tls);
  const checked = mode !== "SIMPLE" && mode !== "MUTUAL";
  return checked || caCertificates || credentialName ? undefined : text(mode);
}

export const subsetsSelectPods: Analyzer = {
  name: "destinationrule.SubsetSelectPodAnalyzer",
  description: "Checks if pods are selected by subsets in destination rules.",
  run: (world) =>
    world.kind("DestinationRule").flatMap((about) => {
      const service = serviceOf(world.kind("Service"), fullHost(text(spec(about).host), namespaceOf(about)));
      if (!service) return [];
      const members = world.pods(stringMap(spec(service).selector), namespaceOf(service));
      return list(spec(about).subsets)
        .filter((subset) => !members.some((pod) => hasLabels(pod, stringMap(subset.labels))))
        .map((subset): Finding => ({ level: "Error", code: "IST0173", about, message: `The Subset ${text(subset.name)} defined in the DestinationRule does not select any pods. ` }));
    }),
};

function serviceOf(services: readonly KubeObject[], host: string): KubeObject | undefined {
  return services.find((service) => `${service.metadata.name}.${namespaceOf(service)}.svc.cluster.local` === host);
}
