import type { Pod } from "../../resources/index.ts";
import { InjectionError } from "./errors.ts";

const ANY = (): string | undefined => undefined;
const numberOf = (value: string): string | undefined => (/^\d{1,9}$/.test(value) ? undefined : "is not a whole number");
const booleanOf = (value: string): string | undefined => (/^(true|false)$/i.test(value) ? undefined : "is neither true nor false");
const port = (value: string): boolean => /^\d{1,5}$/.test(value) && Number(value) <= 65_535;
const ports = (value: string): string | undefined => (value === "" || value.split(",").every((p) => port(p.trim())) ? undefined : "is not a list of ports");
const portsOrAll = (value: string): string | undefined => (value === "*" ? undefined : ports(value));
const cidr = (value: string): boolean => /^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/.test(value) || /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(value);
const cidrs = (value: string): string | undefined => (value === "" || value.split(",").every((c) => cidr(c.trim())) ? undefined : "is not a list of CIDRs");
const cidrsOrAll = (value: string): string | undefined => (value === "*" ? undefined : cidrs(value));
const jsonOf = (value: string): string | undefined => {
  try {
    JSON.parse(value);
    return undefined;
  } catch {
    return "is not JSON";
  }
};

/** Annotations of a pod that injection reads, and what may stand in them. */
const RULES: Record<string, (value: string) => string | undefined> = {
  "sidecar.istio.io/inject": ANY,
  "sidecar.istio.io/proxyImage": ANY,
  "sidecar.istio.io/proxyImageType": ANY,
  "sidecar.istio.io/interceptionMode": (value) => (["REDIRECT", "TPROXY", "NONE"].includes(value) ? undefined : "is none of REDIRECT, TPROXY, NONE"),
  "sidecar.istio.io/rewriteAppHTTPProbers": booleanOf,
  "sidecar.istio.io/nativeSidecar": booleanOf,
  "sidecar.istio.io/capNetBindService": booleanOf,
  "sidecar.istio.io/userVolume": jsonOf,
  "sidecar.istio.io/userVolumeMount": jsonOf,
  "status.sidecar.istio.io/port": (value) => (port(value) ? undefined : "is not a port"),
  "readiness.status.sidecar.istio.io/initialDelaySeconds": numberOf,
  "readiness.status.sidecar.istio.io/periodSeconds": numberOf,
  "readiness.status.sidecar.istio.io/failureThreshold": numberOf,
  "traffic.sidecar.istio.io/includeOutboundIPRanges": cidrsOrAll,
  "traffic.sidecar.istio.io/excludeOutboundIPRanges": cidrs,
  "traffic.sidecar.istio.io/includeInboundPorts": portsOrAll,
  "traffic.sidecar.istio.io/excludeInboundPorts": ports,
  "traffic.sidecar.istio.io/includeOutboundPorts": ports,
  "traffic.sidecar.istio.io/excludeOutboundPorts": ports,
  "prometheus.istio.io/merge-metrics": booleanOf,
};

/** Throws InjectionError for an annotation whose value would make a pod that does something else than was meant. */
export function validateAnnotations(annotations: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(annotations)) {
    const fault = RULES[name]?.(value);
    if (fault) throw new InjectionError(`invalid annotation: ${name}: ${JSON.stringify(value)} ${fault}`);
  }
}

/** The annotation's value, or the installation's. */
export function annotation(pod: Pod, name: string, fallback: string): string {
  return pod.metadata.annotations?.[name] ?? fallback;
}
