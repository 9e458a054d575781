import type { KubeObject } from "../../../resources/types.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { hostMap, lookUp } from "./hosts.ts";
import { contains, fullName, type Labels, list, namespaceOf, object, spec, stringMap, strings, text, type Json, type World } from "./world.ts";

export const serverVerification: Analyzer = {
  name: "destinationrule.CaCertificateAnalyzer",
  description: "Checks if caCertificates is set when TLS mode is SIMPLE/MUTUAL",
  needs: [],
  run: (world) =>
    world.kind("DestinationRule").flatMap((about) => {
      const policy = object(spec(about).trafficPolicy);
      const findings: Finding[] = [];
      const unverified = (tls: Json): boolean => {
        const credential = text(tls.credentialName) !== "" && spec(about).workloadSelector !== undefined;
        return (tls.mode === "SIMPLE" || tls.mode === "MUTUAL") && text(tls.caCertificates) === "" && !credential;
      };
      const message = (tls: Json): string =>
        `DestinationRule ${fullName(about)} in namespace ${namespaceOf(about)} has TLS mode set to ${text(tls.mode)} but no caCertificates are set to validate server identity for host: ${text(spec(about).host)}`;
      const tls = object(policy.tls);
      if (unverified(tls)) findings.push({ code: "IST0128", about, message: message(tls), path: ".spec.trafficPolicy.tls.caCertificates" });
      for (const [index, settings] of list(policy.portLevelSettings).entries()) {
        const portTls = object(settings.tls);
        const { number } = object(settings.port);
        if (unverified(portTls))
          findings.push({
            code: "IST0129",
            about,
            message: `${message(portTls)} at port ${number === undefined ? "" : `number:${String(number)}`}`,
            path: `.spec.trafficPolicy.portLevelSettings[${index}].tls.caCertificates`,
          });
      }
      return findings;
    }),
};

export const subsetsSelectPods: Analyzer = {
  name: "destinationrule.SubsetSelectPodAnalyzer",
  description: "Checks if pods are selected by subsets in destination rules.",
  needs: ["Pod", "Service", "Node"],
  run(world) {
    const hosts = hostMap(world);
    const pods = world.kind("Pod").map((pod) => meshLabels(world, pod));
    return world.kind("DestinationRule").flatMap((about): Finding[] => {
      const { host, exportTo, subsets } = spec(about);
      const target = lookUp(hosts, text(host), namespaceOf(about), strings(exportTo));
      if (!target)
        return [{ code: "IST0174", about, message: `The host ${text(host)} defined in the DestinationRule does not match any services in the mesh.` }];
      return list(subsets)
        .filter(({ labels }) => !pods.some((pod) => contains(pod, { ...target.workloadLabels, ...stringMap(labels) })))
        .map(({ name }) => ({
          code: "IST0173",
          about,
          message: `The Subset ${text(name)} defined in the DestinationRule does not select any pods. Which may lead to 503 UH (NoHealthyUpstream).`,
        }));
    });
  },
};

/** A pod's labels with those that the mesh adds from its node, which subsets may name. */
function meshLabels(world: World, pod: KubeObject): Labels {
  const nodeName = text(spec(pod).nodeName);
  const node = world.find("Node", "", nodeName)?.metadata.labels ?? {};
  const [region, zone, subzone] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"].map(
    (label) => node[label] ?? "",
  ) as [string, string, string];
  // A subzone without a zone is none.
  const located = {
    ...(region && { "topology.kubernetes.io/region": region }),
    ...(zone && { "topology.kubernetes.io/zone": zone }),
    ...(zone && subzone && { "topology.istio.io/subzone": subzone }),
  };
  return { ...pod.metadata.labels, ...located, ...(nodeName !== "" && { "kubernetes.io/hostname": nodeName }) };
}
