import { checkPatchValue } from "../../../proto/go-json/index.ts";
import { validateIstio } from "../../../resources/index.ts";
import type { Analyzer, Finding } from "./findings.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { object } from "../proxy-config/dump.ts";

/** Kinds that istiod validates, and the two of its own configuration that are checked when they are read. */
const KINDS = [
  "AuthorizationPolicy",
  "DestinationRule",
  "EnvoyFilter",
  "Gateway",
  "MeshConfig",
  "MeshNetworks",
  "PeerAuthentication",
  "ProxyConfig",
  "RequestAuthentication",
  "ServiceEntry",
  "Sidecar",
  "Telemetry",
  "TrafficExtension",
  "VirtualService",
  "WasmPlugin",
  "WorkloadEntry",
  "WorkloadGroup",
];

export const schemaValidation: readonly Analyzer[] = KINDS.map((kind) => ({
  name: `schema.ValidationAnalyzer.${kind}`,
  description: `Runs schema validation as an analyzer on '${kind}' resources`,
  needs: [],
  run: (world) =>
    world.kind(kind).flatMap((about): Finding[] => {
      const { errors, warnings } = validateIstio(withoutNotes(about), checkPatchValue);
      return [
        ...errors.map((one): Finding => ({ code: "IST0106", about, message: `Schema validation error: ${one}` })),
        ...warnings.map((warning) => warningFinding(about, warning)),
      ];
    }),
}));

/**
 * Istio's analyzer shows its validation neither labels nor annotations, so that rules about these say nothing here. Nor do
 * they of a map that is there and empty: it is lost on the way.
 */
function withoutNotes(about: KubeObject): KubeObject {
  const { labels: _labels, annotations: _annotations, ...metadata } = about.metadata;
  const { portLevelMtls, ...spec } = object(about.spec);
  return {
    ...about,
    metadata,
    ...(about.spec !== undefined && { spec: { ...spec, ...(Object.keys(object(portLevelMtls)).length > 0 && { portLevelMtls }) } }),
  };
}

/** Rules that are never reached have codes of their own. */
function warningFinding(about: KubeObject, warning: string): Finding {
  const [, match, matchName, other] = /^virtualService rule (.+) match (.+) is not used \(duplicate\/overlapping match in rule (.+)\)$/.exec(warning) ?? [];
  if (match !== undefined)
    return { code: "IST0131", about, message: `VirtualService rule ${match} match ${matchName} is not used (duplicate/overlapping match in rule ${other}).` };
  const [, rule, reason] = /^virtualService rule (.+) not used \((.+)\)$/.exec(warning) ?? [];
  if (rule !== undefined) return { code: "IST0130", about, message: `VirtualService rule ${rule} not used (${reason}).` };
  return { code: "IST0133", about, message: `Schema validation warning: ${warning}` };
}
