import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { openKube } from "../kube-access.ts";
import { ANALYZERS, analyze, atLeast, findingsText, isLevel } from "./analyze.ts";
import { clusterObjects, fileObjects } from "./load.ts";
import { namespaceOf, World, type Finding, type Level } from "./world.ts";

interface AnalyzeOptions {
  readonly allNamespaces: boolean;
  readonly useKube: boolean;
  readonly listAnalyzers: boolean;
  readonly recursive: boolean;
  readonly output: string;
  readonly failureThreshold: string;
  readonly outputThreshold: string;
  readonly suppress: string[];
}

/** Exit code when findings reach the failure threshold. */
const EXIT_FOUND = 79;

/** `istioctl analyze`. */
export function analyzeCommand(): Command {
  const command = withGlobals(new Command("analyze"))
    .description("looks for mistakes in the configuration of a cluster, of files, or of both together")
    .argument("[file...]", "files or folders; - is stdin")
    .option("-A, --all-namespaces", "all namespaces", false)
    .option("-k, --use-kube", "look at the cluster too", true)
    .option("--no-use-kube", "files only")
    .option("-L, --list-analyzers", "name the analyzers", false)
    .option("-R, --recursive", "folders with all below", false)
    .option("-o, --output <format>", "log, json or yaml", "log")
    .option("--failure-threshold <level>", "findings of this level or worse give exit code 79", "Error")
    .option("--output-threshold <level>", "findings below are not shown", "Info")
    .option("-S, --suppress <rule>", "code=object, with * in the object; more than once", (value: string, all: string[]) => [...all, value], [] as string[])
    .option("--color", "accepted and ignored")
    .option("--timeout <duration>", "accepted and ignored");
  return command.action(async (files: string[], options: AnalyzeOptions) => {
    if (options.listAnalyzers) {
      process.stdout.write(ANALYZERS.map(({ name, description }) => `* ${name}:\n    ${description}\n`).join(""));
      return;
    }
    process.exitCode = await run(files, options, command);
  });
}

async function run(files: string[], options: AnalyzeOptions, command: Command): Promise<number> {
  const globals = globalsOf(command);
  const { output } = options;
  if (output !== "log" && output !== "json" && output !== "yaml") throw new ChainmailError("USAGE", `${output} not a valid option for format. See istioctl analyze --help`);
  const [failure, shown] = [level(options.failureThreshold), level(options.outputThreshold)];
  const kube = options.useKube ? await openKube(globals) : undefined;
  const namespace = kube?.namespace ?? globals.namespace ?? "default";
  const objects = [...(kube ? await clusterObjects(kube) : []), ...fileObjects(files, options.recursive, namespace)];
  const world = new World(objects, globals.istioNamespace);
  const everywhere = options.allNamespaces || (!kube && globals.namespace === undefined);
  const inScope = ({ about }: Finding): boolean => everywhere || namespaceOf(about) === namespace || (about.kind === "Namespace" && about.metadata.name === namespace);
  const findings = analyze(world, (finding) => inScope(finding) && !suppressed(finding, options.suppress));
  const visible = findings.filter((finding) => atLeast(finding.level, shown));
  process.stdout.write(output === "log" || visible.length > 0 ? findingsText(visible, output) : "[]\n");
  const subject = files.length > 0 && !kube ? files.join(", ") : everywhere ? "all namespaces" : `namespace: ${namespace}`;
  const what = `analyzing ${subject}`;
  if (findings.some((finding) => atLeast(finding.level, failure))) {
    process.stderr.write(`Error: Analyzers found issues when ${what}.\nSee https://istio.io/v1.30/docs/reference/config/analysis for more information about causes and resolutions.\n`);
    return EXIT_FOUND;
  }
  if (visible.length === 0) process.stderr.write(`\u2714 No validation issues found when ${what}.\n`);
  return 0;
}

function level(text: string): Level {
  const name = `${text.slice(0, 1).toUpperCase()}${text.slice(1).toLowerCase()}`;
  if (!isLevel(name)) throw new ChainmailError("USAGE", `${JSON.stringify(text)} not a valid option: Error, Warning or Info`);
  return name;
}

/** `IST0102=Namespace default`, with stars. */
function suppressed({ code, about }: Finding, rules: readonly string[]): boolean {
  const namespace = namespaceOf(about);
  const origin = `${about.kind} ${about.metadata.name}${namespace ? `.${namespace}` : ""}`;
  return rules.some((rule) => {
    const [ruleCode, pattern = "*"] = rule.split("=");
    const expression = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*");
    return ruleCode === code && new RegExp(`^${expression}$`).test(origin);
  });
}
