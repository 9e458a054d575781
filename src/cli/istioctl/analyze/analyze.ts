import type { KubeObject } from "../../../resources/types.ts";
import { marshalIndent } from "../format/go-json.ts";
import { goYaml } from "../format/go-yaml.ts";
import { conflictingGateways, duplicateCertificates, gatewaySecrets, gatewaySelectors } from "./gateway.ts";
import { authorizationPolicies, serverVerification, subsetsSelectPods } from "./security.ts";
import { claimRoutes, conflictingMeshHosts, destinationHosts, destinationSubsets, gatewayReferences } from "./virtual-service.ts";
import { applicationUid, injection, portNames, schemaValidation, sidecarSelectors } from "./workloads.ts";
import { namespaceOf, type Analyzer, type Finding, type Level, type World } from "./world.ts";

/** By name, as `analyze -L` lists them. */
export const ANALYZERS: readonly Analyzer[] = [
  applicationUid,
  authorizationPolicies,
  serverVerification,
  subsetsSelectPods,
  duplicateCertificates,
  conflictingGateways,
  gatewaySelectors,
  gatewaySecrets,
  injection,
  ...schemaValidation,
  portNames,
  sidecarSelectors,
  conflictingMeshHosts,
  destinationHosts,
  destinationSubsets,
  gatewayReferences,
  claimRoutes,
];

const ORDER: Record<Level, number> = { Error: 0, Warning: 1, Info: 2 };
const DOCUMENTATION = "https://istio.io/v1.30/docs/reference/config/analysis";

export function isLevel(text: string): text is Level {
  return text in ORDER;
}

export function atLeast(level: Level, threshold: Level): boolean {
  return ORDER[level] <= ORDER[threshold];
}

/** Findings of all analyzers that pass, in istioctl's order: the worst first, then by code and object. */
export function analyze(world: World, include: (finding: Finding) => boolean): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of ANALYZERS.flatMap((analyzer) => analyzer.run(world)).filter(include)) seen.set(lineOf(finding), finding);
  return [...seen.values()].sort((a, b) => ORDER[a.level] - ORDER[b.level] || compare(a.code, b.code) || compare(originOf(a.about), originOf(b.about)) || compare(a.message, b.message));
}

export function findingsText(findings: readonly Finding[], format: "log" | "json" | "yaml"): string {
  if (format === "log") return findings.map((finding) => `${lineOf(finding)}\n`).join("");
  const documents = findings.map(({ level, code, about, message }) => ({ code, documentationUrl: `${DOCUMENTATION}/${code.toLowerCase()}/`, level, message, origin: originOf(about), ...(fileOf(about) !== undefined && { reference: fileOf(about) }) }));
  return format === "json" ? `${marshalIndent(documents, "\t")}\n` : goYaml(documents);
}

function lineOf(finding: Finding): string {
  const file = fileOf(finding.about);
  return `${finding.level} [${finding.code}] (${originOf(finding.about)}${file === undefined ? "" : ` ${file}`}) ${finding.message}`;
}

function originOf(about: KubeObject): string {
  const namespace = namespaceOf(about);
  return `${about.kind} ${namespace ? `${namespace}/` : ""}${about.metadata.name}`;
}

/** Where an object was read from, when it came from a file: the loader notes it. */
export const FILE_REFERENCE = Symbol("file reference");

function fileOf(about: KubeObject): string | undefined {
  const reference: unknown = Reflect.get(about, FILE_REFERENCE);
  return typeof reference === "string" ? reference : undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
