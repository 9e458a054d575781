import { type Analyzer, type Finding } from "./findings.ts";
import { contains, namespaceOf, object, spec, stringMap } from "./world.ts";

/** Versions of the Gateway API's definitions that Istio takes at least. */
const MINIMUM_VERSIONS: Readonly<Record<string, readonly [number, number, number]>> = {
  "grpcroutes.gateway.networking.k8s.io": [1, 1, 0],
  "backendtlspolicies.gateway.networking.k8s.io": [1, 4, 0],
  "tlsroutes.gateway.networking.k8s.io": [1, 5, 0],
  "tcproutes.gateway.networking.k8s.io": [1, 6, 0],
};

export const definitionVersions: Analyzer = {
  name: "k8sgateway.CRDVersionAnalyzer",
  description: "Checks Gateway API CRDs are at the minimum version required by this Istio version",
  needs: [],
  run: (world) =>
    world.kind("CustomResourceDefinition").flatMap((about): Finding[] => {
      const { name, annotations = {} } = about.metadata;
      const minimum = MINIMUM_VERSIONS[name];
      const [, major, minor, patch, rest = ""] =
        /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?([-+].*)?$/.exec(annotations["gateway.networking.k8s.io/bundle-version"] ?? "") ?? [];
      if (!minimum || major === undefined) return [];
      const installed = [Number(major), Number(minor ?? 0), Number(patch ?? 0)];
      const differing = installed.findIndex((part, index) => part !== minimum[index]);
      if (differing < 0 || (installed[differing] ?? 0) > (minimum[differing] ?? 0)) return [];
      return [
        {
          code: "IST0176",
          about,
          message: `Gateway API CRD ${JSON.stringify(name)} is at version ${JSON.stringify(installed.join(".") + rest)} but Istio requires at least ${JSON.stringify(minimum.join("."))}; resources of this kind will not be processed. Upgrade the Gateway API CRDs to satisfy the minimum version.`,
        },
      ];
    }),
};

const POLICIES = ["AuthorizationPolicy", "RequestAuthentication", "Telemetry", "WasmPlugin"];
const GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name";

export const gatewaySelectors: Analyzer = {
  name: "k8sgateway.SelectorAnalyzer",
  description: "Check that selectors are effective for Kubernetes gateway",
  needs: ["Pod"],
  run(world) {
    const pods = world.kind("Pod").filter(({ metadata }) => metadata.labels?.[GATEWAY_LABEL] !== undefined);
    return POLICIES.flatMap((kind) => world.kind(kind)).flatMap((about) => {
      const { selector, targetRef } = spec(about);
      if (targetRef !== undefined || selector === undefined) return [];
      const labels = stringMap(object(selector).matchLabels);
      return pods
        .filter((pod) => namespaceOf(pod) === namespaceOf(about) && contains(pod.metadata.labels ?? {}, labels))
        .map((pod): Finding => ({
          code: "IST0166",
          about,
          message: `Ineffective selector on Kubernetes Gateway ${pod.metadata.labels?.[GATEWAY_LABEL]}. Use the TargetRef field instead.`,
        }));
    });
  },
};
