import { ChainmailError } from "../../../base/index.ts";
import { NAMESPACES } from "../../../kube/index.ts";
import type { GlobalOptions } from "../globals.ts";
import { openKube, type KubeAccess } from "../kube-access.ts";
import { CommandParseError } from "../line/errors.ts";
import { ANALYZERS, analyze, atLeast, DOCUMENTATION, findingsText, isLevel, originOf } from "./analyze.ts";
import { isKnownCode, levelOf, type Analyzer, type Finding, type Level } from "./findings.ts";
import { HARMFUL } from "./harmful.ts";
import { clusterMesh, clusterObjects, fileMesh, fileObjects, gatherFiles, listed } from "./load.ts";
import { namespaceOf, World, type WorldOptions } from "./world.ts";

export interface AnalyzeOptions {
  readonly remoteContexts?: string[];
  readonly allNamespaces: boolean;
  readonly analyzer?: string[];
  readonly color?: boolean;
  readonly failureThreshold: string;
  readonly ignoreUnknown: boolean;
  readonly listAnalyzers: boolean;
  readonly meshConfigFile?: string;
  readonly output: string;
  readonly outputThreshold: string;
  readonly recursive: boolean;
  readonly revision: string;
  readonly suppress?: string[];
  readonly useKube: boolean;
  readonly verbose: boolean;
}

/** Exit codes: findings reach the failure threshold (Istio's own), a file cannot be read (EX_DATAERR). */
const EXIT_FOUND = 79;
const EXIT_DATA = 65;

const out = (text: string): void => void process.stdout.write(text);
const err = (text: string): void => void process.stderr.write(text);

/** Returns the exit code. */
export async function runAnalyze(paths: readonly string[], options: AnalyzeOptions, globals: GlobalOptions): Promise<number> {
  const output = options.output.toLowerCase();
  if (output !== "log" && output !== "json" && output !== "yaml")
    throw new CommandParseError(`${output} not a valid option for format. See istioctl analyze --help`);
  const thresholds = {
    failure: parseLevel(options.failureThreshold, "--failure-threshold"),
    output: parseLevel(options.outputThreshold, "--output-threshold"),
  };
  if (options.listAnalyzers) {
    out(ANALYZERS.map(({ name, description }) => `* ${name}:\n    ${description}\n`).join(""));
    return 0;
  }
  if (options.recursive) {
    out("The recursive flag has been removed and is hardcoded to true without explicitly specifying it.\n");
    return 0;
  }
  const files = gatherFiles(paths, err);
  const kube = options.useKube ? await openKube(globals) : undefined;
  if (kube && !(await kube.client.find(NAMESPACES, kube.namespace))) {
    err(`namespace ${JSON.stringify(globals.namespace ?? "")} not found\n`);
    return 0;
  }
  const namespace = options.allNamespaces ? "" : (kube?.namespace ?? globals.namespace ?? "default");
  const suppressed = suppressions(options.suppress ?? []);
  const content = fileObjects(files, namespace);
  if (content.problems.length > 0) err(`Error(s) adding files: ${listed(content.problems)}`);
  const world = new World([...(kube ? await clusterObjects(kube) : []), ...content.objects], await meshOptions(kube, options, globals));

  const chosen = chooseAnalyzers(options.analyzer ?? []);
  const executed = chosen.filter(({ needs }) => kube !== undefined || needs.length === 0);
  const target = options.allNamespaces ? "all namespaces" : `namespace: ${namespace}`;
  if (options.verbose) tellAnalyzers(target, chosen, executed);
  const findings = analyze(world, executed, (finding) => inNamespace(finding, namespace) && !suppressed(finding) && !suppressesItself(finding));
  const shown = findings.filter(({ code }) => atLeast(levelOf(code), thresholds.output));
  const color = options.color ?? (process.stdout.isTTY === true && process.env.TERM !== "dumb");
  out(findingsText(shown, { format: output, color, reference: "istioctl-analyze" }));
  if (shown.length === 0) err(nothingFound(files, content.problems.length, target));
  // Documents are for programs: they read the findings, not the exit code.
  if (output !== "log") return 0;
  if (findings.some(({ code }) => atLeast(levelOf(code), thresholds.failure))) {
    err(`Error: Analyzers found issues when analyzing ${target}.\nSee ${DOCUMENTATION} for more information about causes and resolutions.\n`);
    return EXIT_FOUND;
  }
  if (content.problems.length > 0 && !options.ignoreUnknown) {
    err("Error: Some files couldn't be parsed.\n");
    return EXIT_DATA;
  }
  return 0;
}

async function meshOptions(
  kube: KubeAccess | undefined,
  { meshConfigFile, revision }: AnalyzeOptions,
  { istioNamespace }: GlobalOptions,
): Promise<WorldOptions> {
  const cluster = kube ? await clusterMesh(kube, revision) : {};
  return { istioNamespace, ...cluster, ...(meshConfigFile !== undefined && { mesh: fileMesh(meshConfigFile) }) };
}

/** Names that no analyzer has choose all of them. */
function chooseAnalyzers(names: readonly string[]): readonly Analyzer[] {
  const all = [...ANALYZERS, ...HARMFUL];
  const chosen = all.filter(({ name }) => names.includes(name));
  return chosen.length > 0 ? chosen : all;
}

function tellAnalyzers(target: string, chosen: readonly Analyzer[], executed: readonly Analyzer[]): void {
  // What is told here is Istio's list; Chainmail's own analyzers run on anything.
  const istios = chosen.filter((analyzer) => ANALYZERS.includes(analyzer));
  const skipped = istios.filter((analyzer) => !executed.includes(analyzer));
  const list = (title: string, analyzers: readonly Analyzer[]): string =>
    analyzers.length === 0 ? "" : `${title}:\n${analyzers.map(({ name }) => `\t ${name}\n`).join("")}`;
  err(
    `Analyzed resources in ${target}\n${list("Skipped analyzers", skipped)}${list(
      "Executed analyzers",
      executed.filter((analyzer) => istios.includes(analyzer)),
    )}\n`,
  );
}

/** Objects of the cluster as a whole belong to every namespace. */
function inNamespace({ about }: Finding, namespace: string): boolean {
  const own = about.kind === "Namespace" ? about.metadata.name : namespaceOf(about);
  return namespace === "" || own === "" || own === namespace;
}

/** An object may say by an annotation which codes it does not want to hear of. */
function suppressesItself({ code, about }: Finding): boolean {
  const codes = about.metadata.annotations?.["galley.istio.io/analyze-suppress"]?.split(",") ?? [];
  return codes.includes("*") || codes.includes(code);
}

/** Rules as `IST0102=Namespace default`; the object is `Kind namespace/name`, or as the help of istioctl has it `Kind name.namespace`. */
function suppressions(rules: readonly string[]): (finding: Finding) => boolean {
  const parsed = rules.map((rule) => {
    const [code, pattern, ...rest] = rule.split("=");
    if (code === undefined || pattern === undefined || rest.length > 0)
      throw new ChainmailError("USAGE", `${rule} is not a valid suppression value. See istioctl analyze --help`);
    if (!isKnownCode(code)) err(`Warning: Supplied message code '${code}' is an unknown message code and will not have any effect.\n`);
    const expression = pattern
      .split("*")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*");
    return { code, expression: new RegExp(`^${expression}$`) };
  });
  return ({ code, about }) => {
    const { name, namespace } = about.metadata;
    const origins = [originOf(about), `${about.kind} ${name}${namespace ? `.${namespace}` : ""}`];
    return parsed.some((rule) => rule.code === code && origins.some((origin) => rule.expression.test(origin)));
  };
}

function nothingFound(files: readonly string[], problems: number, target: string): string {
  if (problems > 0) return `No validation issues found when analyzing ${target} (but 1 file could not be parsed).\n`;
  const what = files.length > 1 ? `:\n  - ${files.join("\n  - ")}\n` : ` ${files[0] ?? target}.\n`;
  return `\u2714 No validation issues found when analyzing${what}`;
}

function parseLevel(text: string, flag: string): Level {
  const name = `${text.slice(0, 1).toUpperCase()}${text.slice(1).toLowerCase()}`;
  if (!isLevel(name)) throw new CommandParseError(`invalid argument ${JSON.stringify(text)} for ${JSON.stringify(flag)} flag: invalid level option`);
  return name;
}
