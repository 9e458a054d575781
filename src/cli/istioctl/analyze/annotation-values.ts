import { parseMeshConfig } from "../../../controlplane/registry/index.ts";
import { errorText } from "../../../base/index.ts";
import { parseQuantity } from "../../../resources/index.ts";
import { isIP } from "node:net";

/** What is wrong with a value, in the words of Istio and of Go's parsers; undefined when nothing is. */
type Check = (value: string) => string | undefined;

const MAX_UINT32 = 2 ** 32 - 1;
const MAX_PORT = 2 ** 16 - 1;
/** Linux' IFNAMSIZ without the closing zero. */
const MAX_INTERFACE_NAME = 15;

const CHECKS: Readonly<Record<string, Check>> = {
  "sidecar.istio.io/interceptionMode": (value) =>
    ["REDIRECT", "TPROXY", "NONE"].includes(value) ? undefined : `interceptionMode invalid, use REDIRECT,TPROXY,NONE: ${value}`,
  "status.sidecar.istio.io/port": (value) => prefixed("excludeInboundPorts invalid: ", portProblem(value)),
  "readiness.status.sidecar.istio.io/initialDelaySeconds": (value) => uintProblem(value, MAX_UINT32),
  "readiness.status.sidecar.istio.io/periodSeconds": (value) => uintProblem(value, MAX_UINT32),
  "readiness.status.sidecar.istio.io/failureThreshold": (value) => uintProblem(value, MAX_UINT32),
  "traffic.sidecar.istio.io/includeOutboundIPRanges": (value) => (value === "*" ? undefined : prefixed("includeIPRanges invalid: ", cidrProblem(value))),
  "traffic.sidecar.istio.io/excludeOutboundIPRanges": (value) => prefixed("excludeIPRanges invalid: ", cidrProblem(value)),
  "traffic.sidecar.istio.io/includeInboundPorts": (value) => (value === "*" ? undefined : prefixed("includeInboundPorts invalid: ", portsProblem(value))),
  "traffic.sidecar.istio.io/excludeInboundPorts": (value) => prefixed("excludeInboundPorts invalid: ", portsProblem(value)),
  "traffic.sidecar.istio.io/excludeOutboundPorts": (value) => prefixed("excludeOutboundPorts invalid: ", portsProblem(value)),
  "traffic.sidecar.istio.io/excludeInterfaces": interfacesProblem,
  "traffic.sidecar.istio.io/kubevirtInterfaces": interfacesProblem,
  "istio.io/reroute-virtual-interfaces": interfacesProblem,
  "prometheus.istio.io/merge-metrics": (value) =>
    ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"].includes(value)
      ? undefined
      : `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  "proxy.istio.io/config": proxyConfigProblem,
  "sidecar.istio.io/proxyCPU": quantityProblem,
  "sidecar.istio.io/proxyMemory": quantityProblem,
  "sidecar.istio.io/proxyCPULimit": quantityProblem,
  "sidecar.istio.io/proxyMemoryLimit": quantityProblem,
};

/** What is wrong with the value of one of Istio's annotations. */
export function annotationProblem(name: string, value: string): string | undefined {
  return CHECKS[name]?.(value);
}

function prefixed(prefix: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${prefix}${problem}`;
}

function uintProblem(value: string, max: number): string | undefined {
  if (!/^\d+$/.test(value)) return `strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`;
  return Number(value) > max ? `strconv.ParseUint: parsing ${JSON.stringify(value)}: value out of range` : undefined;
}

function portProblem(value: string): string | undefined {
  return prefixed(`failed parsing port '${value}': `, uintProblem(value.trim(), MAX_PORT));
}

function portsProblem(value: string): string | undefined {
  if (value.trim() === "") return undefined;
  for (const port of value.trim().split(",")) {
    const problem = portProblem(port);
    if (problem) return `failed parsing port '${port}': ${problem}`;
  }
  return undefined;
}

function cidrProblem(value: string): string | undefined {
  if (value === "") return undefined;
  for (const cidr of value.split(",")) {
    const quoted = JSON.stringify(cidr);
    const slash = cidr.lastIndexOf("/");
    const [address, length] = [cidr.slice(0, slash), cidr.slice(slash + 1)];
    const problem =
      slash < 0
        ? "no '/'"
        : isIP(address) === 0
          ? `ParseAddr(${JSON.stringify(address)}): unable to parse IP`
          : !/^(0|[1-9]\d{0,2})$/.test(length)
            ? `bad bits after slash: ${JSON.stringify(length)}`
            : Number(length) > (isIP(address) === 4 ? 32 : 128)
              ? "prefix length out of range"
              : undefined;
    if (problem) return `failed parsing cidr '${cidr}': netip.ParsePrefix(${quoted}): ${problem}`;
  }
  return undefined;
}

function interfacesProblem(value: string): string | undefined {
  if (value === "") return undefined;
  for (const name of value.split(",").map((part) => part.trim())) {
    if (name === "") return "empty interface name";
    if (name.length > MAX_INTERFACE_NAME) return `interface name ${JSON.stringify(name)} too long (max ${MAX_INTERFACE_NAME} chars)`;
    if (!/^[a-zA-Z][a-zA-Z0-9_.-]*$/.test(name)) return `interface name ${JSON.stringify(name)} contains invalid characters`;
  }
  return undefined;
}

function quantityProblem(value: string): string | undefined {
  // Control characters could smuggle lines into the pod that is made.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) return "value contains control characters";
  return parseQuantity(value) === undefined ? "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'" : undefined;
}

function proxyConfigProblem(value: string): string | undefined {
  try {
    const indented = value
      .split("\n")
      .map((line) => `  ${line}`)
      .join("\n");
    parseMeshConfig(`defaultConfig:\n${indented}\n`);
    return undefined;
  } catch (error) {
    return `failed to convert to apply proxy config: ${errorText(error)}`;
  }
}
