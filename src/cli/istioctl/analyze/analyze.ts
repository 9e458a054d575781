import type { KubeObject } from "../../../resources/types.ts";
import { marshalIndent } from "../format/go-json.ts";
import { goYaml } from "../format/go-yaml.ts";
import { kubernetesAnnotations } from "./annotations.ts";
import { authorizationPolicies, blockedCidrs } from "./authorization.ts";
import { negativeConditions } from "./conditions.ts";
import { applicationUid, multipleServices } from "./deployments.ts";
import { deprecations } from "./deprecation.ts";
import { serverVerification, subsetsSelectPods } from "./destination-rule.ts";
import { envoyPatches } from "./envoy-filter.ts";
import { externalControlPlane } from "./external-control-plane.ts";
import { referenceOf } from "./file-objects.ts";
import { isIstioCode, levelOf, type Analyzer, type Finding, type Level } from "./findings.ts";
import { conflictingGateways, duplicateCertificates, gatewayPorts, gatewaySecrets } from "./gateway.ts";
import { autoImages, injection, proxyImages } from "./injection.ts";
import { definitionVersions, gatewaySelectors } from "./kubernetes-gateway.ts";
import { meshNetworks, multiclusterServices } from "./multicluster.ts";
import { schemaValidation } from "./schema.ts";
import { addressesRequired, conflictingProtocols } from "./service-entry.ts";
import { portNames } from "./services.ts";
import { sidecarSelectors } from "./sidecar.ts";
import { accessLogProviders, lightstepProviders, telemetrySelectors, unselectiveTelemetries } from "./telemetry.ts";
import { claimRoutes, conflictingMeshHosts, destinationHosts, destinationSubsets, gatewayReferences } from "./virtual-service.ts";
import { webhooks } from "./webhook.ts";
import { fullName, type World } from "./world.ts";

/** Istio's analyzers, by name as `analyze -L` lists them; harmful.ts has Chainmail's own. */
export const ANALYZERS: readonly Analyzer[] = [
  kubernetesAnnotations,
  applicationUid,
  authorizationPolicies,
  blockedCidrs,
  negativeConditions,
  multipleServices,
  deprecations,
  serverVerification,
  subsetsSelectPods,
  envoyPatches,
  externalControlPlane,
  duplicateCertificates,
  conflictingGateways,
  gatewayPorts,
  gatewaySecrets,
  injection,
  proxyImages,
  autoImages,
  definitionVersions,
  gatewaySelectors,
  meshNetworks,
  ...schemaValidation,
  portNames,
  addressesRequired,
  conflictingProtocols,
  multiclusterServices,
  sidecarSelectors,
  unselectiveTelemetries,
  lightstepProviders,
  accessLogProviders,
  telemetrySelectors,
  conflictingMeshHosts,
  destinationHosts,
  destinationSubsets,
  gatewayReferences,
  claimRoutes,
  webhooks,
];

/** Where yaml.v2 breaks lines when nobody tells it not to. */
const YAML_WIDTH = 80;

const ORDER: Record<Level, number> = { Error: 0, Warning: 1, Info: 2 };
/** Where Istio explains its codes. */
export const DOCUMENTATION = "https://istio.io/v1.30/docs/reference/config/analysis";

export function isLevel(text: string): text is Level {
  return text in ORDER;
}

export function atLeast(level: Level, threshold: Level): boolean {
  return ORDER[level] <= ORDER[threshold];
}

/** Findings that pass, in istioctl's order: the worst first, then by code and object; each line once. */
export function analyze(world: World, analyzers: readonly Analyzer[], include: (finding: Finding) => boolean): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of analyzers.flatMap((analyzer) => analyzer.run(world)).filter(include)) seen.set(lineOf(finding), finding);
  const sorted = [...seen].map(([line, finding]) => ({ line, finding, object: comparator(finding.about) }));
  return sorted
    .sort(
      (a, b) =>
        ORDER[levelOf(a.finding.code)] - ORDER[levelOf(b.finding.code)] ||
        compare(a.finding.code, b.finding.code) ||
        compare(a.object, b.object) ||
        compare(a.line, b.line),
    )
    .map(({ finding }) => finding);
}

export interface FindingsFormat {
  readonly format: "log" | "json" | "yaml";
  readonly color?: boolean;
  /** Who asks, for the links of the documents. */
  readonly reference?: string;
}

export function findingsText(findings: readonly Finding[], { format, color = false, reference }: FindingsFormat): string {
  if (format === "log") return `${findings.map((finding) => lineOf(finding, color)).join("\n")}\n`;
  const documents = findings.map((finding) => {
    const { code, about, message } = finding;
    const place = placeOf(finding);
    const query = reference === undefined ? "" : `?ref=${reference}`;
    return {
      code,
      ...(isIstioCode(code) && { documentationUrl: `${DOCUMENTATION}/${code.toLowerCase()}/${query}` }),
      level: levelOf(code),
      message,
      origin: originOf(about),
      ...(place !== undefined && { reference: place }),
    };
  });
  return format === "json" ? `${marshalIndent(documents, "\t")}\n` : `${goYaml(documents, YAML_WIDTH)}\n`;
}

const COLORS: Record<Level, string> = { Info: "", Warning: "\u001b[33m", Error: "\u001b[1;31m" };

function lineOf(finding: Finding, color = false): string {
  const level = levelOf(finding.code);
  const place = placeOf(finding);
  return `${color ? COLORS[level] : ""}${level}${color ? "\u001b[0m" : ""} [${finding.code}] (${originOf(finding.about)}${place === undefined ? "" : ` ${place}`}) ${finding.message}`;
}

/** `Pod namespace/name`; what is about the cluster has no name. */
export function originOf(about: KubeObject): string {
  return `${about.kind} ${fullName(about)}`.trimEnd();
}

function comparator({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}/${metadata.namespace ?? ""}`;
}

/** `file:line` of an object that came from a file: of the field that is meant, if it is there. */
function placeOf({ about, path }: Finding): string | undefined {
  const reference = referenceOf(about);
  if (!reference) return undefined;
  const { file, line, fields } = reference;
  return file.endsWith(".json") ? file : `${file}:${(path === undefined ? undefined : fields.get(path)) ?? line}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
