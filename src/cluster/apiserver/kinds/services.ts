import { isIP } from "node:net";
import type { FieldError, KubeObject, Service } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import { invalid } from "../http/status.ts";
import type { KindStrategy, RestContext } from "../rest/context.ts";
import { AddressRange, PortRange } from "./ranges.ts";

const SERVICES = "/services";
const NAMED = { group: "", plural: "services", kind: "Service" };

export interface ServiceRanges {
  /** `10.96.0.0/16` */
  addresses: AddressRange;
  nodePorts: PortRange;
}

/**
 * Gives Services their cluster addresses and node ports. What is taken is what the stored Services have, plus what writes
 * under way have chosen; so nothing is to be kept in step, and a deleted Service frees what it had.
 */
export function serviceStrategy(store: Store, random: RestContext["random"], ranges: ServiceRanges): KindStrategy {
  const reserved = new Set<string>();
  const allocate = (service: Service, old: Service | undefined): (() => void) => {
    const taken = takenBy(store, old?.metadata.uid);
    const mine: string[] = [];
    const errors: FieldError[] = [];
    const has = (key: string) => taken.has(key) || reserved.has(key);
    const take = (key: string) => {
      mine.push(key);
      reserved.add(key);
    };
    allocateAddress(service, old, ranges.addresses, random, has, take, errors);
    allocatePorts(service, old, ranges.nodePorts, random, has, take, errors);
    const release = () => {
      for (const key of mine) reserved.delete(key);
    };
    if (errors.length > 0) {
      release();
      throw invalid(NAMED, service.metadata.name, errors);
    }
    return release;
  };
  return {
    chosenFields: ["ipFamilies", "ipFamilyPolicy"],
    prepareCreate: (object) => allocate(object as Service, undefined),
    prepareUpdate: (object, old, subresource) => (subresource === "" ? allocate(object as Service, old as Service) : undefined),
  };
}

type Has = (key: string) => boolean;
type Take = (key: string) => void;

function takenBy(store: Store, exceptUid: string | undefined): Set<string> {
  const taken = new Set<string>();
  for (const { object } of store.list(SERVICES)) {
    if (object.metadata.uid === exceptUid) continue;
    const { spec } = object as KubeObject as Service;
    for (const address of spec?.clusterIPs ?? []) taken.add(address);
    for (const { nodePort, protocol } of spec?.ports ?? []) if (nodePort) taken.add(portKey(nodePort, protocol));
    if (spec?.healthCheckNodePort) taken.add(portKey(spec.healthCheckNodePort, "TCP"));
  }
  return taken;
}

function portKey(port: number, protocol: string | undefined): string {
  return `${port}/${protocol ?? "TCP"}`;
}

function allocateAddress(
  service: Service,
  old: Service | undefined,
  range: AddressRange,
  random: RestContext["random"],
  has: Has,
  take: Take,
  errors: FieldError[],
): void {
  const spec = (service.spec ??= {});
  if (spec.type === "ExternalName" || spec.clusterIP === "None") return;
  const wanted = spec.clusterIP;
  // An address stays for good: validation says so.
  if (old?.spec?.clusterIP && old.spec.type !== "ExternalName") {
    if (wanted && spec.clusterIPs?.[0] === old.spec.clusterIP) spec.clusterIPs = [wanted];
    return;
  }
  if (wanted && wanted === old?.spec?.clusterIP) return;
  const fail = (why: string) =>
    errors.push({ type: "FieldValueInvalid", field: "spec.clusterIPs", message: `Invalid value: ${JSON.stringify(wanted ? [wanted] : [])}: ${why}` });
  if (wanted) {
    // What is no address at all is told by validation.
    if (isIP(wanted) === 0) return;
    if (!range.includes(wanted)) return void fail(`failed to allocate IP ${wanted}: the provided network does not match the current range`);
    if (has(wanted)) return void fail(`failed to allocate IP ${wanted}: provided IP is already allocated`);
    return take(wanted);
  }
  const chosen = range.pick(random, has);
  if (!chosen) return void fail("failed to allocate a serviceIP: range is full");
  take(chosen);
  spec.clusterIP = chosen;
  spec.clusterIPs = [chosen];
}

function allocatePorts(
  service: Service,
  old: Service | undefined,
  range: PortRange,
  random: RestContext["random"],
  has: Has,
  take: Take,
  errors: FieldError[],
): void {
  const spec = service.spec ?? {};
  const external = spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
  const before = new Set((old?.spec?.ports ?? []).map(({ nodePort, protocol }) => portKey(nodePort ?? 0, protocol)));
  const own = new Map<number, Set<string>>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    const { nodePort, protocol = "TCP" } = port;
    if (!nodePort) continue;
    const field = `spec.ports[${index}].nodePort`;
    // One Service may use a port number for TCP and UDP both.
    const protocols = own.get(nodePort) ?? new Set();
    own.set(nodePort, protocols.add(protocol));
    if (before.has(portKey(nodePort, protocol))) continue;
    const problem = !range.includes(nodePort)
      ? `provided port is not in the valid range. The range of valid ports is ${range.text}`
      : has(portKey(nodePort, protocol))
        ? "provided port is already allocated"
        : undefined;
    if (problem) errors.push({ type: "FieldValueInvalid", field, message: `Invalid value: ${nodePort}: ${problem}` });
    else take(portKey(nodePort, protocol));
  }
  if (!external || errors.length > 0) return;
  const choose = (protocol: string) => {
    const chosen = range.pick(random, (port) => own.has(port) || has(portKey(port, protocol)));
    if (chosen === undefined)
      errors.push({ type: "FieldValueInvalid", field: "spec.ports", message: "Invalid value: null: failed to allocate a nodePort: range is full" });
    else {
      own.set(chosen, new Set([protocol]));
      take(portKey(chosen, protocol));
    }
    return chosen;
  };
  for (const port of spec.ports ?? []) {
    const { protocol = "TCP" } = port;
    if (!port.nodePort) {
      // The same port number under another protocol shares its node port, as in DNS over TCP and UDP.
      const sibling = spec.ports?.find((other) => other !== port && other.port === port.port && other.nodePort && other.protocol !== protocol)?.nodePort;
      if (sibling && !has(portKey(sibling, protocol)) && !own.get(sibling)?.has(protocol)) {
        own.get(sibling)?.add(protocol);
        take(portKey(sibling, protocol));
        port.nodePort = sibling;
      } else {
        const chosen = choose(protocol);
        if (chosen !== undefined) port.nodePort = chosen;
      }
    }
  }
  if (spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local") {
    spec.healthCheckNodePort ??= old?.spec?.healthCheckNodePort ?? choose("TCP");
  } else if (old?.spec?.healthCheckNodePort) delete spec.healthCheckNodePort;
}
