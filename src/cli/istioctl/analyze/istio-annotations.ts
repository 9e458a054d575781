/** What Istio's API says of an annotation. */
export interface AnnotationDefinition {
  /** Kinds that it may stand on; "Any" is all. */
  readonly on: readonly string[];
  readonly alpha: boolean;
  readonly deprecated: boolean;
}

const alpha = (...on: string[]): AnnotationDefinition => ({ on, alpha: true, deprecated: false });
const settled = (...on: string[]): AnnotationDefinition => ({ on, alpha: false, deprecated: false });
const deprecated = (definition: AnnotationDefinition): AnnotationDefinition => ({ ...definition, deprecated: true });
const ALPHA_POD = alpha("Pod");

/** Istio's annotations by name (istio/api of August 2026). */
export const ISTIO_ANNOTATIONS: Readonly<Record<string, AnnotationDefinition>> = {
  "alpha.istio.io/canonical-serviceaccounts": deprecated(alpha("Service")),
  "alpha.istio.io/kubernetes-serviceaccounts": deprecated(alpha("Service")),
  "ambient.istio.io/bypass-inbound-capture": ALPHA_POD,
  "ambient.istio.io/dns-capture": ALPHA_POD,
  "ambient.istio.io/redirection": settled("Pod"),
  "ambient.istio.io/waypoint-inbound-binding": alpha("GatewayClass", "Gateway"),
  "galley.istio.io/analyze-suppress": alpha("Any"),
  "gateway.istio.io/controller-version": alpha("Any"),
  "gateway.istio.io/name-override": alpha("Gateway"),
  "gateway.istio.io/service-account": alpha("Gateway"),
  "inject.istio.io/templates": ALPHA_POD,
  "istio.io/autoRegistrationGroup": alpha("WorkloadEntry"),
  "istio.io/connectedAt": alpha("WorkloadEntry"),
  "istio.io/disconnectedAt": alpha("WorkloadEntry"),
  "istio.io/dry-run": alpha("AuthorizationPolicy"),
  "istio.io/reroute-virtual-interfaces": ALPHA_POD,
  "istio.io/rev": ALPHA_POD,
  "istio.io/use-waypoint-canary-weight": alpha("Service", "ServiceEntry", "Namespace"),
  "istio.io/workloadController": alpha("WorkloadEntry"),
  "kubernetes.io/ingress.class": settled("Ingress"),
  "networking.istio.io/exportTo": alpha("Service"),
  "networking.istio.io/service-type": alpha("Gateway"),
  "networking.istio.io/traffic-distribution": alpha("Namespace", "Service", "ServiceEntry"),
  "prometheus.istio.io/merge-metrics": ALPHA_POD,
  "proxy.istio.io/config": settled("Pod"),
  "proxy.istio.io/overrides": ALPHA_POD,
  "readiness.status.sidecar.istio.io/applicationPorts": ALPHA_POD,
  "readiness.status.sidecar.istio.io/failureThreshold": ALPHA_POD,
  "readiness.status.sidecar.istio.io/initialDelaySeconds": ALPHA_POD,
  "readiness.status.sidecar.istio.io/periodSeconds": ALPHA_POD,
  "sidecar.istio.io/agentLogLevel": ALPHA_POD,
  "sidecar.istio.io/bootstrapOverride": ALPHA_POD,
  "sidecar.istio.io/componentLogLevel": ALPHA_POD,
  "sidecar.istio.io/discoveryAddress": deprecated(ALPHA_POD),
  "sidecar.istio.io/extraStatTags": deprecated(ALPHA_POD),
  "sidecar.istio.io/inject": deprecated(settled("Pod")),
  "sidecar.istio.io/interceptionMode": ALPHA_POD,
  "sidecar.istio.io/logLevel": ALPHA_POD,
  "sidecar.istio.io/nativeSidecar": ALPHA_POD,
  "sidecar.istio.io/proxyCPU": ALPHA_POD,
  "sidecar.istio.io/proxyCPULimit": ALPHA_POD,
  "sidecar.istio.io/proxyImage": ALPHA_POD,
  "sidecar.istio.io/proxyImageType": ALPHA_POD,
  "sidecar.istio.io/proxyMemory": ALPHA_POD,
  "sidecar.istio.io/proxyMemoryLimit": ALPHA_POD,
  "sidecar.istio.io/rewriteAppHTTPProbers": ALPHA_POD,
  "sidecar.istio.io/statsCompression": deprecated(ALPHA_POD),
  "sidecar.istio.io/statsEvictionInterval": ALPHA_POD,
  "sidecar.istio.io/statsFlushInterval": ALPHA_POD,
  "sidecar.istio.io/statsHistogramBins": ALPHA_POD,
  "sidecar.istio.io/statsHistogramBuckets": ALPHA_POD,
  "sidecar.istio.io/statsInclusionPrefixes": deprecated(ALPHA_POD),
  "sidecar.istio.io/statsInclusionRegexps": deprecated(ALPHA_POD),
  "sidecar.istio.io/statsInclusionSuffixes": deprecated(ALPHA_POD),
  "sidecar.istio.io/status": ALPHA_POD,
  "sidecar.istio.io/userVolume": ALPHA_POD,
  "sidecar.istio.io/userVolumeMount": ALPHA_POD,
  "status.sidecar.istio.io/port": ALPHA_POD,
  "topology.istio.io/controlPlaneClusters": alpha("Namespace"),
  "traffic.istio.io/nodeSelector": settled("Service"),
  "traffic.sidecar.istio.io/excludeInboundPorts": ALPHA_POD,
  "traffic.sidecar.istio.io/excludeInterfaces": ALPHA_POD,
  "traffic.sidecar.istio.io/excludeOutboundIPRanges": ALPHA_POD,
  "traffic.sidecar.istio.io/excludeOutboundPorts": ALPHA_POD,
  "traffic.sidecar.istio.io/includeInboundPorts": ALPHA_POD,
  "traffic.sidecar.istio.io/includeOutboundIPRanges": ALPHA_POD,
  "traffic.sidecar.istio.io/includeOutboundPorts": ALPHA_POD,
  "traffic.sidecar.istio.io/kubevirtInterfaces": deprecated(ALPHA_POD),
};

/** Annotations that Istio itself writes: of them nothing is said. */
export const OWN_ANNOTATIONS: ReadonlySet<string> = new Set(["sidecar.istio.io/status", "gateway.istio.io/controller-version", "istio.io/rev"]);

/** Annotations that look like Istio's. */
export function isIstioAnnotation(name: string): boolean {
  return name === "kubernetes.io/ingress.class" || (name.split("/")[0] ?? "").endsWith("istio.io");
}
