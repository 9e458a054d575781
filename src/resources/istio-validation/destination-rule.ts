import type { ConsistentHash, DestinationRuleSpec, LoadBalancerSettings, LocalityLbSetting, OutlierDetection, PortTrafficPolicy, Subset, TrafficPolicy } from "../istio.ts";
import { Findings } from "./findings.ts";
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
  const [badName, badAddress] = [fqdn(tunnel.targetHost), ipAddress(tunnel.targetHost)];
  if (badName !== undefined && badAddress !== undefined) findings.error(`tunnel target host must be valid FQDN or IP address: ${badName}; ${badAddress}`);
  const badPort = port(tunnel.targetPort);
  return badPort === undefined ? findings : findings.error(`tunnel target port is invalid: ${badPort}`);
}

function validateOutliers(outlier: OutlierDetection | undefined): Findings {
  const findings = new Findings();
  if (!outlier) return findings;
  findings.error(duration(outlier.baseEjectionTime));
  if (outlier.consecutiveErrors) findings.warn("outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead");
  if (!outlier.splitExternalLocalOriginErrors && (outlier.consecutiveLocalOriginFailures ?? 0) > 0) {
    findings.error("outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false");
  }
  return findings.error(duration(outlier.interval), percent(outlier.maxEjectionPercent), percent(outlier.minHealthPercent));
}

function percent(value = 0): string | undefined {
  return value < 0 || value > 100 ? `percentage ${value} is not in range 0..100` : undefined;
}

function validateLoadBalancer(settings: LoadBalancerSettings | undefined, outlier: OutlierDetection | undefined): Findings {
  const findings = new Findings();
  if (!settings) return findings;
  if (settings.consistentHash) findings.add(consistentHash(settings.consistentHash));
  findings.add(localitySetting(settings.localityLbSetting, outlier));
  return findings.error(duration(settings.warmupDurationSecs));
}

/** Envoy's limit of a Maglev table. */
const MAX_MAGLEV = 5000011;

function consistentHash(hash: ConsistentHash): Findings {
  const findings = new Findings();
  if (hash.httpCookie && !hash.httpCookie.name) findings.error("name required for HttpCookie");
  if (hash.minimumRingSize) {
    findings.warn("consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead");
    if (hash.ringHash || hash.maglev) findings.error("only one of MinimumRingSize or Maglev/Ringhash can be specified");
  }
  if (hash.maglev) {
    const size = hash.maglev.tableSize ?? 0;
    if (size === 0) findings.error("tableSize must be set for maglev");
    if (size >= MAX_MAGLEV) findings.error("tableSize must be less than 5000011 for maglev");
    if (!isPrime(size)) findings.error("tableSize must be a prime number for maglev");
  }
  return findings;
}

function isPrime(value: number): boolean {
  if (value !== 0 && value < 4) return true;
  if (value % 2 === 0) return false;
  // Sizes beyond the limit are refused anyway and need no search.
  for (let factor = 3; factor * factor <= Math.min(value, MAX_MAGLEV); factor += 2) if (value % factor === 0) return false;
  return true;
}

const TOPOLOGY_LABELS = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

function localitySetting(setting: LocalityLbSetting | undefined, outlier: OutlierDetection | undefined): Findings {
  const findings = new Findings();
  if (!setting) return findings;
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  if (distribute.length > 0 && failover.length > 0) return findings.error("can not simultaneously specify 'distribute' and 'failover'");
  const topology = failover.length > 0 ? failoverPriority.find((label) => TOPOLOGY_LABELS.includes(label)) : undefined;
  if (topology) return findings.error(`can not simultaneously set 'failover' and topology label '${topology}' in 'failover_priority'`);
  for (const { to = {} } of distribute) {
    const weights = Object.values(to);
    if (weights.includes(0)) return findings.error("locality weight must be in range [1, 100]");
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total !== 100) return findings.error(`total locality weight ${total} != 100`);
    const bad = localities(Object.keys(to).sort());
    if (bad !== undefined) return findings.error(bad);
  }
  findings.error(localities(distribute.map(({ from = "" }) => from)));
  for (const { from = "", to = "" } of failover) {
    if (from === to) findings.error("locality lb failover settings must specify different regions");
    if (from.includes("/") || to.includes("/")) findings.error("locality lb failover only specify region");
    if (from.includes("*") || to.includes("*")) findings.error("locality lb failover region should not contain '*' wildcard");
  }
  if ((failover.length > 0 || failoverPriority.length > 0) && !outlier) findings.warn("outlier detection policy must be provided for failover");
  return findings;
}

function localities(list: string[]): string | undefined {
  for (const [index, locality] of list.entries()) {
    const stars = locality.split("*").length - 1;
    if (stars > 1 || (stars === 1 && !locality.endsWith("*"))) return `locality ${locality} wildcard '*' number can not exceed 1 and must be in the end`;
    if (locality.split("/", 3).includes("")) return `locality ${locality} must not contain empty region/zone/subzone info`;
    if (list.slice(0, index).some((earlier) => overlaps(earlier, locality))) return `locality ${locality} overlap with previous specified ones`;
  }
  return undefined;
}

/** The shorter of two localities stands for all that begin with it. */
function overlaps(a: string, b: string): boolean {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    if (left[index] === "*" || right[index] === "*") return true;
    if (left[index] !== right[index]) return false;
  }
  return true;
}
