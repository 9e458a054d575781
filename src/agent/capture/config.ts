import { ChainmailError } from "../../base/index.ts";
import { booleanFlag, flag, parseFlags, type FlagSpec } from "../flags.ts";

/** What to capture and what to leave alone, as Istio's flags say it. Lists hold numbers or CIDRs; `all` is "*". */
export interface CaptureConfig {
  readonly proxyPort: number;
  readonly inboundCapturePort: number;
  readonly tunnelPort: number;
  readonly proxyUids: readonly number[];
  readonly proxyGids: readonly number[];
  readonly inboundPortsInclude: PortSelection;
  readonly inboundPortsExclude: readonly number[];
  readonly outboundRangesInclude: RangeSelection;
  readonly outboundRangesExclude: readonly string[];
  readonly outboundPortsInclude: readonly number[];
  readonly outboundPortsExclude: readonly number[];
  readonly virtualInterfaces: readonly string[];
  readonly excludeInterfaces: readonly string[];
  /** Questions to these name servers go to the agent instead. */
  readonly dnsServers: readonly string[];
  readonly dropInvalid: boolean;
  readonly dryRun: boolean;
  readonly cleanupOnly: boolean;
}

export type PortSelection = { readonly all: true } | { readonly all: false; readonly ports: readonly number[] };
export type RangeSelection = { readonly all: true } | { readonly all: false; readonly ranges: readonly string[] };

/** Flags of `istio-iptables`, with Istio's short names; where there is one, an environment variable stands in for a flag. */
const FLAGS: (FlagSpec & { env?: string })[] = [
  { name: "envoy-port", short: "p", default: "15001", env: "ENVOY_PORT" },
  { name: "inbound-capture-port", short: "z", default: "15006", env: "INBOUND_CAPTURE_PORT" },
  { name: "inbound-tunnel-port", short: "e", default: "15008" },
  { name: "proxy-uid", short: "u", default: "1337" },
  { name: "proxy-gid", short: "g" },
  { name: "istio-inbound-interception-mode", short: "m", default: "REDIRECT", env: "ISTIO_INBOUND_INTERCEPTION_MODE" },
  { name: "istio-inbound-ports", short: "b", default: "", env: "ISTIO_INBOUND_PORTS" },
  { name: "istio-local-exclude-ports", short: "d", default: "", env: "ISTIO_LOCAL_EXCLUDE_PORTS" },
  { name: "istio-service-cidr", short: "i", default: "", env: "ISTIO_SERVICE_CIDR" },
  { name: "istio-service-exclude-cidr", short: "x", default: "", env: "ISTIO_SERVICE_EXCLUDE_CIDR" },
  { name: "istio-outbound-ports", short: "q", default: "", env: "ISTIO_OUTBOUND_PORTS" },
  { name: "istio-local-outbound-ports-exclude", short: "o", default: "", env: "ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE" },
  { name: "istio-exclude-interfaces", short: "c", default: "", env: "ISTIO_EXCLUDE_INTERFACES" },
  { name: "kube-virt-interfaces", short: "k", default: "" },
  { name: "istio-inbound-tproxy-mark", short: "t", default: "1337" },
  { name: "istio-inbound-tproxy-route-table", short: "r", default: "133" },
  { name: "redirect-dns", boolean: true, default: "false", env: "ISTIO_META_DNS_CAPTURE" },
  { name: "drop-invalid", boolean: true, default: "false", env: "INVALID_DROP" },
  { name: "dry-run", short: "n", boolean: true, default: "false" },
  { name: "cleanup-only", boolean: true, default: "false" },
  { name: "log_output_level", default: "default:info" },
  { name: "log_as_json", boolean: true, default: "false" },
];

/** Reads flags and environment, and `nameservers` where DNS is captured. Throws where a value is malformed or asks for what is not there: no rules, no pod. */
export function captureConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  nameservers: () => readonly string[] = () => [],
): CaptureConfig {
  const specs = FLAGS.map((spec) => {
    const fromEnv = spec.env === undefined ? undefined : env[spec.env];
    return fromEnv ? { ...spec, default: fromEnv } : spec;
  });
  const flags = parseFlags(specs, argv);
  if (flags.positional.length > 0) throw invalid(`unexpected argument ${flags.positional[0]}`);
  const mode = flag(flags, "istio-inbound-interception-mode");
  if (mode !== "REDIRECT") throw invalid(`interception mode ${mode} is not supported, only REDIRECT is`);
  const uids = numbers(flag(flags, "proxy-uid"), "proxy-uid", MAX_ID);
  if (uids.length === 0) throw invalid("proxy-uid is empty");
  const inbound = flag(flags, "istio-inbound-ports");
  const ranges = flag(flags, "istio-service-cidr");
  return {
    proxyPort: port(flag(flags, "envoy-port"), "envoy-port"),
    inboundCapturePort: port(flag(flags, "inbound-capture-port"), "inbound-capture-port"),
    tunnelPort: port(flag(flags, "inbound-tunnel-port"), "inbound-tunnel-port"),
    proxyUids: uids,
    // As in Istio: without a group of its own the proxy's is numbered like its user.
    proxyGids: flags.values.has("proxy-gid") ? numbers(flag(flags, "proxy-gid"), "proxy-gid", MAX_ID) : uids,
    inboundPortsInclude: inbound === "*" ? { all: true } : { all: false, ports: ports(inbound, "istio-inbound-ports") },
    inboundPortsExclude: ports(flag(flags, "istio-local-exclude-ports"), "istio-local-exclude-ports"),
    outboundRangesInclude: ranges === "*" ? { all: true } : { all: false, ranges: cidrs(ranges, "istio-service-cidr") },
    outboundRangesExclude: cidrs(flag(flags, "istio-service-exclude-cidr"), "istio-service-exclude-cidr"),
    outboundPortsInclude: ports(flag(flags, "istio-outbound-ports"), "istio-outbound-ports"),
    outboundPortsExclude: ports(flag(flags, "istio-local-outbound-ports-exclude"), "istio-local-outbound-ports-exclude"),
    virtualInterfaces: interfaces(flag(flags, "kube-virt-interfaces"), "kube-virt-interfaces"),
    excludeInterfaces: interfaces(flag(flags, "istio-exclude-interfaces"), "istio-exclude-interfaces"),
    dnsServers: booleanFlag(flags, "redirect-dns") ? nameservers() : [],
    dropInvalid: booleanFlag(flags, "drop-invalid"),
    dryRun: booleanFlag(flags, "dry-run"),
    cleanupOnly: booleanFlag(flags, "cleanup-only"),
  };
}

const MAX_PORT = 65535;
const MAX_ID = 0xffffffff;

function split(list: string): string[] {
  return list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function numbers(list: string, name: string, max: number): number[] {
  return split(list).map((item) => {
    const value = Number(item);
    if (!/^\d+$/.test(item) || value > max) throw invalid(`${name}: "${item}" is not a number up to ${max}`);
    return value;
  });
}

function ports(list: string, name: string): number[] {
  return numbers(list, name, MAX_PORT);
}

function port(value: string, name: string): number {
  const [only, ...more] = ports(value, name);
  if (!only || more.length > 0) throw invalid(`${name}: "${value}" is not a port`);
  return only;
}

function cidrs(list: string, name: string): string[] {
  return split(list).map((item) => {
    const [address = "", prefix] = item.split("/");
    const octets = address.split(".");
    const good = octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) < 256);
    if (!good || (prefix !== undefined && !(/^\d{1,2}$/.test(prefix) && Number(prefix) <= 32))) throw invalid(`${name}: "${item}" is not an IPv4 range`);
    return item;
  });
}

/** Interface names go into rules between quotes: nothing else may. */
function interfaces(list: string, name: string): string[] {
  return split(list).map((item) => {
    if (!/^[A-Za-z0-9_.:@-]{1,15}$/.test(item)) throw invalid(`${name}: "${item}" is not an interface's name`);
    return item;
  });
}

function invalid(message: string): ChainmailError {
  return new ChainmailError("CAPTURE_CONFIG_INVALID", `istio-iptables: ${message}`);
}
