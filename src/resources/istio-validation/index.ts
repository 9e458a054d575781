import type { AuthorizationPolicySpec } from "../istio.ts";
import type { KubeObject } from "../types.ts";
import { validateDestinationRule } from "./destination-rule.ts";
import { validateEnvoyFilter, type PatchValueCheck } from "./envoy-filter.ts";
import { validateProxyConfig, validateTelemetry, validateTrafficExtension, validateWasmPlugin } from "./extensions.ts";
import { Findings } from "./findings.ts";
import { validateGateway } from "./gateway.ts";
import { validateAuthorizationPolicy, validatePeerAuthentication, validateRequestAuthentication } from "./security.ts";
import { validateServiceEntry, validateWorkloadEntry, validateWorkloadGroup } from "./service-entry.ts";
import { validateSidecar } from "./sidecar.ts";
import { validateVirtualService } from "./virtual-service.ts";

export interface IstioVerdict {
  /** istiod's text after `configuration is invalid: `; undefined when the object is fine. */
  error: string | undefined;
  /** What that text lists, one by one. */
  errors: readonly string[];
  /** Each becomes a Warning header. */
  warnings: string[];
}

type Check = (spec: never, name: string, namespace: string, labels: Record<string, string>) => Findings;

const CHECKS: Record<string, Check> = {
  PeerAuthentication: validatePeerAuthentication,
  RequestAuthentication: validateRequestAuthentication,
  AuthorizationPolicy: validateAuthorizationPolicy,
  Gateway: validateGateway,
  VirtualService: (spec, _, namespace) => validateVirtualService(spec, namespace),
  DestinationRule: (spec, _, namespace) => validateDestinationRule(spec, namespace),
  ServiceEntry: (spec, _, namespace, labels) => validateServiceEntry(spec, namespace, labels),
  WorkloadEntry: validateWorkloadEntry,
  WorkloadGroup: validateWorkloadGroup,
  Sidecar: (spec, _, namespace) => validateSidecar(spec, namespace),
  EnvoyFilter: (spec) => validateEnvoyFilter(spec),
  Telemetry: validateTelemetry,
  WasmPlugin: validateWasmPlugin,
  TrafficExtension: validateTrafficExtension,
  ProxyConfig: validateProxyConfig,
};

const DRY_RUN = "istio.io/dry-run";

/**
 * Checks an Istio object as istiod's webhook does. Its structure must have passed the CustomResourceDefinition's schema:
 * types are taken as given. Kinds that istiod does not check are fine. Values of an EnvoyFilter's patches are for those to
 * check who know Envoy's messages.
 */
export function validateIstio(object: KubeObject, checkPatchValue: PatchValueCheck = () => ({ warnings: [] })): IstioVerdict {
  const check = CHECKS[object.kind];
  if (!check) return { error: undefined, errors: [], warnings: [] };
  const dryRun = dryRunProblem(object);
  if (dryRun !== undefined) return { error: dryRun, errors: [dryRun], warnings: [] };
  const { name, namespace = "", labels = {} } = object.metadata;
  const spec = withoutEmptyLists(object.spec ?? {}) as never;
  const findings = object.kind === "EnvoyFilter" ? validateEnvoyFilter(spec, checkPatchValue) : check(spec, name, namespace, labels);
  return { error: findings.text, errors: findings.errors, warnings: findings.warnings };
}

/** For protobuf, which istiod's rules are written for, a list without elements is none. */
function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => !Array.isArray(part) || part.length > 0)
      .map(([key, part]) => [key, withoutEmptyLists(part)]),
  );
}

function dryRunProblem(object: KubeObject): string | undefined {
  const { name, namespace = "", annotations = {} } = object.metadata;
  const value = annotations[DRY_RUN];
  if (value === undefined) return undefined;
  if (object.kind !== "AuthorizationPolicy") return `${namespace}/${name} has unsupported annotation ${DRY_RUN}, please remove the annotation`;
  const action = (object.spec as AuthorizationPolicySpec | undefined)?.action ?? "ALLOW";
  if (action !== "ALLOW" && action !== "DENY")
    return `the annotation ${DRY_RUN} currently only supports action ALLOW/DENY, found action ${action} in ${namespace}/${name}`;
  if (/^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/.test(value)) return undefined;
  return `${namespace}/${name} has annotation ${DRY_RUN} with invalid value (${value}): strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
}
