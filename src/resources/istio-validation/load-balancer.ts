import type { ConsistentHash, LoadBalancerSettings, LocalityLbSetting, OutlierDetection } from "../istio.ts";
import { Findings } from "./findings.ts";
import { duration } from "./names.ts";

/** How a destination's endpoints are chosen from. */
export function validateLoadBalancer(settings: LoadBalancerSettings | undefined, outlier: OutlierDetection | undefined): Findings {
  const findings = new Findings();
  if (!settings) return findings;
  if (settings.consistentHash) findings.add(consistentHash(settings.consistentHash));
  if (settings.localityLbSetting && settings.zoneAwareLbSetting) findings.error("only one of localityLbSetting and zoneAwareLbSetting can be set");
  findings.add(localitySetting(settings.localityLbSetting, outlier), zoneAwareSetting(settings.zoneAwareLbSetting, outlier));
  const { warmup } = settings;
  if (!warmup) return findings;
  findings.error(warmup.duration ? duration(warmup.duration) : "duration is required");
  if ((warmup.minimumPercent ?? 0) > 100) findings.error("minimumPercent value should be less than or equal to 100");
  return (warmup.aggression ?? 1) <= 0 ? findings.error("aggression should be greater than 0") : findings;
}

/** Envoy's limit of a Maglev table. */
const MAX_MAGLEV = 5000011;

function consistentHash(hash: ConsistentHash): Findings {
  const findings = new Findings();
  if (hash.httpCookie && !hash.httpCookie.name) findings.error("name required for HttpCookie");
  const attributes = new Set<string>();
  for (const { name = "" } of hash.httpCookie?.attributes ?? []) {
    if (name === "") findings.error("cookie attribute name cannot be empty");
    else if (attributes.has(name)) findings.error(`duplicate cookie attribute name: ${name}`);
    attributes.add(name);
  }
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
    if (weights.some((weight) => weight <= 0 || weight > 100)) return findings.error("locality weight must be in range [1, 100]");
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total !== 100) return findings.error(`total locality weight ${total} != 100`);
    findings.error(localities(Object.keys(to).sort()));
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

/** Between regions only: within one, zones are always weighed. */
function zoneAwareSetting(setting: LoadBalancerSettings["zoneAwareLbSetting"], outlier: OutlierDetection | undefined): Findings {
  const findings = new Findings();
  const { failover = [], failoverPriority = [] } = setting ?? {};
  for (const label of failoverPriority) {
    if (TOPOLOGY_LABELS.includes(label))
      findings.error(`'failover_priority' for zone aware lb must not use topology label '${label}'; region- and zone-level routing are handled automatically`);
  }
  if ((failover.length > 0 || failoverPriority.length > 0) && !outlier) findings.warn("outlier detection policy must be provided for failover");
  for (const { from = "", to = "" } of failover) {
    if (from === to) findings.error("zone aware lb failover settings must specify different regions");
    if (from.includes("/") || to.includes("/"))
      findings.error("zone aware lb failover only specifies region; zone and subzone failover are handled automatically");
    if (from.includes("*") || to.includes("*")) findings.error("zone aware lb failover region should not contain '*' wildcard");
  }
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
