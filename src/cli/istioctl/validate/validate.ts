import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorText } from "../../../base/index.ts";
import { checkPatchValue } from "../../../proto/go-json/index.ts";
import { validateIstio } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { readStructure } from "../analyze/structure.ts";
import { parseKubeYaml, plainValue, splitDocuments } from "../format/kube-yaml.ts";
import { mergeInputs } from "../install/operator.ts";
import { readSettings } from "../install/settings.ts";
import { list, object, text, type Json } from "../proxy-config/dump.ts";

interface Places {
  /** Namespace of objects that name none. */
  readonly namespace: string;
  readonly istioNamespace: string;
}

/** What is wrong with a file, and what is only strange. */
interface Verdict {
  readonly errors: string[];
  readonly warnings: string[];
}

const EXTENSIONS = [".json", ".yaml", ".yml"];
const DOCS = "https://istio.io/v1.30/docs/ops";
const DEPLOYMENT_REQUIREMENTS = `${DOCS}/deployment/requirements/`;
const PROTOCOL_SELECTION = `${DOCS}/configuration/traffic-management/protocol-selection/`;
/** What may stand at the top of one of Istio's objects. */
const TOP_FIELDS = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);
const PROTOCOLS = new Set(["tcp", "udp", "grpc", "grpc-web", "http", "http_proxy", "http2", "https", "tls", "mongo", "redis", "mysql"]);

/** Tells of each file; returns the exit code. */
export function validateFiles(names: readonly string[], places: Places, write: (text: string) => void): number {
  const errors: string[] = [];
  const verdicts: [file: string, verdict: Verdict][] = [];
  for (const name of names) {
    for (const file of filesOf(name, errors)) {
      const verdict = validateText(file, read(file, errors), places, write);
      errors.push(...verdict.errors);
      verdicts.push([file, verdict]);
    }
  }
  const told = errors.length > 0 ? verdicts.filter(([, { warnings }]) => warnings.length > 0) : verdicts;
  for (const [file, { warnings }] of told) {
    const listed = `\n\t${warnings.map((warning) => `* ${warning}`).join("\n\t")}\n`;
    if (file === "-") write(warnings.length > 0 ? listed : "validation succeed\n");
    else write(warnings.length > 0 ? `${JSON.stringify(file)} has warnings: ${listed}\n` : `${JSON.stringify(file)} is valid\n`);
  }
  if (errors.length === 0) return 0;
  write(`Error: ${errors.length} error${errors.length === 1 ? "" : "s"} occurred:\n${errors.map((error) => `\t* ${error}\n`).join("")}\n\n`);
  return 1;
}

function filesOf(name: string, errors: string[]): string[] {
  if (name === "-") return [name];
  try {
    return statSync(name).isDirectory() ? under(name) : [name];
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    errors.push(`cannot stat file ${JSON.stringify(name)}: ${missing ? `stat ${name}: no such file or directory` : errorText(cause)}`);
    return [];
  }
}

function under(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory() ? under(join(folder, entry.name)) : EXTENSIONS.some((extension) => entry.name.endsWith(extension)) ? [join(folder, entry.name)] : [],
    );
}

function read(file: string, errors: string[]): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    errors.push(`cannot read file ${JSON.stringify(file)}: ${errorText(cause)}`);
    return "";
  }
}

/** All documents of a text. What is only worth a remark is written at once. */
export function validateText(file: string, content: string, places: Places, write: (text: string) => void): Verdict {
  const errors: string[] = [];
  const warnings: string[] = [];
  for (const part of splitDocuments(content)) {
    const parsed = parseKubeYaml(part);
    if (parsed.problem !== undefined) {
      errors.push(`failed to decode file ${file}:  error converting YAML to JSON: ${parsed.problem}`);
      break;
    }
    const value = plainValue(parsed);
    if (value === null || value === undefined) continue;
    if (typeof value !== "object" || Array.isArray(value)) {
      errors.push(`failed to decode file ${file}:  error unmarshaling JSON: while decoding JSON: it is not an object`);
      break;
    }
    const document = value as Json;
    const { kind, metadata } = document;
    const prefix = `${text(kind)}/${text(object(metadata).namespace)}/${text(object(metadata).name)}: `;
    const verdict = validateDocument(document, places, write);
    errors.push(...verdict.errors.map((error) => prefix + error));
    warnings.push(...verdict.warnings.map((warning) => prefix + warning));
  }
  return { errors, warnings };
}

function validateDocument(document: Json, places: Places, write: (text: string) => void): Verdict {
  const apiVersion = text(document.apiVersion);
  if (/^[a-z]+\.istio\.io\//.test(apiVersion) && document.kind !== "IstioOperator") return validateResource(document, places);
  const errors = Array.isArray(document.items)
    ? list(document.items).flatMap((item) => workloadProblems(item, places, write))
    : workloadProblems(document, places, write);
  if (document.kind !== "IstioOperator") return { errors, warnings: [] };
  return { errors: operatorProblems(document), warnings: [] };
}

function validateResource(document: Json, { namespace }: Places): Verdict {
  const metadata = object(document.metadata);
  const resource = {
    ...document,
    metadata: { ...metadata, name: text(metadata.name), namespace: text(metadata.namespace) || namespace },
  } as unknown as KubeObject;
  const structure = readStructure(resource, false);
  if (structure.problem !== undefined) return { errors: [`cannot parse proto message: ${structure.problem}`], warnings: [] };
  const strange = Object.keys(document).filter((field) => !TOP_FIELDS.has(field));
  if (strange.length > 0) return { errors: strange.sort().map((field) => `unknown field ${JSON.stringify(field)}`), warnings: [] };
  const { errors, warnings } = validateIstio(structure.object, checkPatchValue);
  return { errors: [...errors], warnings };
}

function operatorProblems(document: Json): string[] {
  try {
    const tree = mergeInputs([], []);
    Object.assign(tree, document);
    readSettings(tree);
    return [];
  } catch (error) {
    return [errorText(error)];
  }
}

function workloadProblems(document: Json, { istioNamespace }: Places, write: (text: string) => void): string[] {
  const { name, namespace } = object(document.metadata);
  if (text(namespace) === istioNamespace) return [];
  // Istio closes the two differently.
  if (document.kind === "Service")
    return list(object(document.spec).ports).flatMap((port) => portProblems(port, JSON.stringify(`${text(name)}/${text(namespace)}/:`)));
  if (document.kind === "Deployment") {
    const labels = object(object(object(object(document.spec).template).metadata).labels) as Record<string, string>;
    const named = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"].some((label) => label in labels);
    const versioned = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"].some((label) => label in labels);
    if (!named || !versioned)
      write(
        `deployment ${JSON.stringify(`${text(name)}/${text(namespace)}:`)} may not provide Istio metrics and telemetry labels: ${goMap(labels)}. See ${DEPLOYMENT_REQUIREMENTS}\n`,
      );
  }
  return [];
}

function portProblems(port: Json, place: string): string[] {
  if (text(port.protocol).toUpperCase() === "UDP") return [];
  if (port.appProtocol !== undefined && port.appProtocol !== null) {
    return PROTOCOLS.has(text(port.appProtocol).toLowerCase())
      ? []
      : [`service ${place} doesn't follow Istio protocol selection. This is not recommended, See ${PROTOCOL_SELECTION}`];
  }
  if (port.name === undefined || port.name === null) return [`service ${place} has an unnamed port. This is not recommended, See ${DEPLOYMENT_REQUIREMENTS}`];
  const name = text(port.name);
  return PROTOCOLS.has((name.split("-")[0] ?? "").toLowerCase())
    ? []
    : [`service ${place} port ${JSON.stringify(name)} does not follow the Istio naming convention. See ${DEPLOYMENT_REQUIREMENTS}`];
}

/** A map as Go's %q prints it. */
function goMap(labels: Readonly<Record<string, string>>): string {
  return `map[${Object.keys(labels)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(labels[key])}`)
    .join(" ")}]`;
}
