import type { DestinationRuleSpec, OutlierDetection, PortTrafficPolicy, Subset, TrafficPolicy } from "../istio.ts";
import { Findings } from "./findings.ts";
import { validateLoadBalancer } from "./load-balancer.ts";
import { duration, fqdn, ipAddress, labels, port, wildcardDomain, workloadSelector } from "./names.ts";
import { clientTls, connectionPool, exportTo, subsetName } from "./shared.ts";

export function validateDestinationRule(spec: DestinationRuleSpec, namespace: string): Findings {
  const findings = new Findings().error(wildcardDomain(spec.host ?? "")).add(trafficPolicy(spec.trafficPolicy));
  const names = new Set<string>();
  for (const subset of spec.subsets ?? []) {
    if (names.has(subset.name)) findings.error(`duplicate subset names: ${subset.name}`);
    names.add(subset.name);
    findings.addErrors(validateSubset(subset));
  }
  findings.add(exportTo(namespace, spec.exportTo, { withSelector: spec.workloadSelector !== undefined }));
  return findings.add(workloadSelector(spec.workloadSelector));
}

function validateSubset(subset: Subset): Findings {
  return new Findings().error(subsetName(subset.name)).add(labels(subset.labels)).addErrors(trafficPolicy(subset.trafficPolicy));
}

function trafficPolicy(policy: TrafficPolicy | undefined): Findings {
  const findings = new Findings();
  if (!policy) return findings;
  const { outlierDetection, connectionPool: pool, loadBalancer, tls, portLevelSettings, tunnel, proxyProtocol, retryBudget } = policy;
  if (!outlierDetection && !pool && !loadBalancer && !tls && !portLevelSettings && !tunnel && !proxyProtocol && !retryBudget) {
    return findings.error("traffic policy must have at least one field");
  }
  if (tunnel && proxyProtocol) return findings.error("tunnel and proxyProtocol must not be set together");
  findings.add(validateOutliers(outlierDetection), connectionPool(pool), validateLoadBalancer(loadBalancer, outlierDetection), clientTls(tls));
  for (const setting of portLevelSettings ?? []) findings.addErrors(portPolicy(setting));
  return findings.add(tunnelSettings(tunnel));
}

function portPolicy(policy: PortTrafficPolicy): Findings {
  const findings = new Findings();
  if (!policy.port) findings.error("portTrafficPolicy must have valid port");
  const { outlierDetection, connectionPool: pool, loadBalancer, tls } = policy;
  if (!outlierDetection && !pool && !loadBalancer && !tls) return findings.error("port traffic policy must have at least one field");
  return findings.addErrors(validateOutliers(outlierDetection), connectionPool(pool), validateLoadBalancer(loadBalancer, outlierDetection), clientTls(tls));
}

function tunnelSettings(tunnel: TrafficPolicy["tunnel"]): Findings {
  const findings = new Findings();
  if (!tunnel) return findings;
  if (tunnel.protocol && tunnel.protocol !== "CONNECT" && tunnel.protocol !== "POST") findings.error('tunnel protocol must be "CONNECT" or "POST"');
  const { targetHost = "" } = tunnel as Partial<typeof tunnel>;
  const [badName, badAddress] = [fqdn(targetHost), ipAddress(targetHost)];
  if (badName !== undefined && badAddress !== undefined) findings.error(`tunnel target host must be valid FQDN or IP address: ${badName}; ${badAddress}`);
  const badPort = port(tunnel.targetPort);
  return badPort === undefined ? findings : findings.error(`tunnel target port is invalid: ${badPort}`);
}

function validateOutliers(outlier: OutlierDetection | undefined): Findings {
  const findings = new Findings();
  if (!outlier) return findings;
  findings.error(duration(outlier.baseEjectionTime));
  if (outlier.consecutiveErrors)
    findings.warn("outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead");
  if (!outlier.splitExternalLocalOriginErrors && (outlier.consecutiveLocalOriginFailures ?? 0) > 0) {
    findings.error("outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false");
  }
  return findings.error(duration(outlier.interval), percent(outlier.maxEjectionPercent), percent(outlier.minHealthPercent));
}

function percent(value = 0): string | undefined {
  return value < 0 || value > 100 ? `percentage ${value} is not in range 0..100` : undefined;
}
