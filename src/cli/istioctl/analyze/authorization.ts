import { list, object, strings } from "../proxy-config/dump.ts";
import { type Analyzer, type Finding, notFound } from "./findings.ts";
import { contains, fullName, labelText, type Labels, namespaceOf, podInMesh, podIsAmbient, spec, stringMap, templateOf, text, type World } from "./world.ts";

export const authorizationPolicies: Analyzer = {
  name: "auth.AuthorizationPoliciesAnalyzer",
  description: "Checks the validity of authorization policies",
  needs: ["Namespace", "Pod"],
  run(world) {
    const pods = meshPods(world);
    return world.kind("AuthorizationPolicy").flatMap((about) => {
      const findings: Finding[] = [];
      const selector = spec(about).selector === undefined ? undefined : stringMap(object(spec(about).selector).matchLabels);
      const wide = namespaceOf(about) === world.mesh.rootNamespace;
      const candidates = wide ? [...pods.values()].flat() : (pods.get(namespaceOf(about)) ?? []);
      const reached = selector === undefined ? wide || candidates.length > 0 : candidates.some((labels) => contains(labels, selector));
      if (!reached)
        findings.push({ code: "IST0127", about, message: `No matching workloads for this resource with the following labels: ${labelText(selector ?? {})}` });
      for (const [rule, { from }] of list(spec(about).rules).entries()) {
        for (const [source, entry] of list(from).entries()) {
          const { namespaces, notNamespaces } = object(entry.source);
          for (const names of [strings(namespaces), strings(notNamespaces)]) {
            for (const [index, name] of names.entries()) {
              if (!namespaceExists(world, name))
                findings.push(notFound(about, "namespace", name, `.spec.rules[${rule}].from[${source}].source.namespaces[${index}]`));
            }
          }
        }
      }
      return findings;
    });
  },
};

/** Labels of the pods with a proxy, by namespace. */
function meshPods(world: World): Map<string, Labels[]> {
  const pods = new Map<string, Labels[]>();
  for (const pod of world.kind("Pod")) {
    if (!podInMesh(world, pod) && !podIsAmbient(pod)) continue;
    pods.set(namespaceOf(pod), [...(pods.get(namespaceOf(pod)) ?? []), pod.metadata.labels ?? {}]);
  }
  return pods;
}

/** A policy's pattern of a namespace: a star at one end, upper and lower case alike without one. */
function namespaceExists(world: World, pattern: string): boolean {
  return world.kind("Namespace").some(({ metadata: { name } }) => {
    if (pattern === "*") return true;
    if (pattern.startsWith("*")) return name.endsWith(pattern.slice(1));
    if (pattern.endsWith("*")) return name.startsWith(pattern.slice(0, -1));
    return name.toLowerCase() === pattern.toLowerCase();
  });
}

/** As many policies are named; the rest is counted. */
const MAX_NAMED_POLICIES = 5;

export const blockedCidrs: Analyzer = {
  name: "authn.BlockedCIDRsAnalyzer",
  description: "Checks that BLOCKED_CIDRS_IN_JWKS_URIS is configured on istiod when RequestAuthentication resources exist",
  needs: [],
  run(world) {
    const names = world.kind("RequestAuthentication").map(fullName);
    if (names.length === 0) return [];
    const shown =
      names.length <= MAX_NAMED_POLICIES ? names.join(", ") : `${names.slice(0, MAX_NAMED_POLICIES).join(", ")}, and ${names.length - MAX_NAMED_POLICIES} more`;
    const open = world.kind("Deployment").filter((deployment) => {
      if (deployment.metadata.labels?.app !== "istiod") return false;
      const variables = list(templateOf(deployment).spec.containers).flatMap(({ env }) => list(env));
      return !variables.some(({ name, value }) => name === "BLOCKED_CIDRS_IN_JWKS_URIS" && text(value) !== "");
    });
    return open.map((about) => ({
      code: "IST0175",
      about,
      message: `BLOCKED_CIDRS_IN_JWKS_URIS is not configured but ${names.length} RequestAuthentication resource(s) exist (${shown}). Consider configuring it to restrict JWKS URI fetches to trusted networks.`,
    }));
  },
};
