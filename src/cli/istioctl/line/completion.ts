import { Command, type Option } from "commander";
import { globalsOf, withGlobals } from "../globals.ts";
import { SCRIPTS, type Shell } from "./completion-scripts.ts";
import { group, withHelp } from "./index.ts";

/** What a shell shall do with the words, in Cobra's numbers. */
const FILES = 0;
const NO_FILES = 4;

/** One word that can stand at the cursor, and what it is. */
interface Candidate {
  readonly word: string;
  readonly text: string;
}

/** `istioctl completion bash|zsh|fish`. */
export function completionCommand(): Command {
  const root = group(
    withGlobals(new Command("completion"))
      .summary("Prints a shell's completion script")
      .description("Prints a script that completes istioctl's commands, flags and the names of pods and namespaces."),
  );
  for (const shell of Object.keys(SCRIPTS) as Shell[]) {
    const { setUp } = SCRIPTS[shell];
    const command = withGlobals(new Command(shell)).description(`The script for ${shell}`).option("--no-descriptions", "words without explanations");
    command.action(
      (options: { descriptions: boolean }) => void process.stdout.write(SCRIPTS[shell].script(options.descriptions ? "__complete" : "__completeNoDesc")),
    );
    root.addCommand(withHelp(command, { example: setUp, noFlags: shell === "bash" }));
  }
  return root;
}

/** `istioctl __complete WORD…`: what the scripts call, with the word at the cursor last. Cobra's scripts can call it too. */
export async function runComplete(root: Command, words: readonly string[], described: boolean): Promise<void> {
  const { candidates, directive } = await complete(root, words);
  process.stdout.write([...candidates.map(({ word, text }) => (described && text ? `${word}\t${text.split("\n")[0]}` : word)), `:${directive}`, ""].join("\n"));
}

/** Words for the last of the given ones, which may be empty. */
export async function complete(
  root: Command,
  words: readonly string[],
  names: (command: Command, kind: NameKind, prefix: string) => Promise<string[]> = clusterNames,
): Promise<{ candidates: Candidate[]; directive: number }> {
  const [before, current] = [words.slice(0, -1), words.at(-1) ?? ""];
  let command = root;
  let waiting: Option | undefined;
  const rest: string[] = [];
  for (const word of before) {
    if (waiting) {
      remember(command, waiting, word);
      waiting = undefined;
      continue;
    }
    if (word.startsWith("-")) {
      const [flag = "", value] = word.split("=");
      const option = command.options.find((one) => one.long === flag || one.short === flag);
      if (option && (option.required || option.optional)) {
        if (value === undefined) waiting = option;
        else remember(command, option, value);
      }
      continue;
    }
    const next = rest.length > 0 ? undefined : command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next) command = next;
    else rest.push(word);
  }
  if (waiting) return flagValues(command, waiting, current, names);
  if (current.startsWith("-")) {
    const equals = current.indexOf("=");
    const option = equals < 0 ? undefined : command.options.find(({ long }) => long === current.slice(0, equals));
    if (option) return flagValues(command, option, current.slice(equals + 1), names);
    const flags = command.options.filter(({ hidden, negate, long }) => !hidden && !negate && long?.startsWith(current));
    return { candidates: flags.map(({ long, description }) => ({ word: long ?? "", text: description })).sort(byWord), directive: NO_FILES };
  }
  const subcommands = command.commands.filter((one) => Reflect.get(one, "_hidden") !== true && one.name().startsWith(current));
  if (command.commands.length > 0 && rest.length === 0)
    return { candidates: subcommands.map((one) => ({ word: one.name(), text: one.summary() || one.description() })).sort(byWord), directive: NO_FILES };
  const argument = command.registeredArguments[0];
  if (argument?.name() !== "pod" && !(argument?.name() === "name" && command.parent?.name() === "describe"))
    return { candidates: [], directive: argument ? FILES : NO_FILES };
  const kind: NameKind = command.name() === "service" ? "services" : "pods";
  return { candidates: (await names(command, kind, current)).map((word) => ({ word, text: "" })), directive: NO_FILES };
}

export type NameKind = "pods" | "services" | "namespaces";

/** Files for flags that name one, words for those that have a few, names from the cluster for namespaces. */
async function flagValues(
  command: Command,
  option: Option,
  current: string,
  names: (command: Command, kind: NameKind, prefix: string) => Promise<string[]>,
): Promise<{ candidates: Candidate[]; directive: number }> {
  const long = option.long ?? "";
  if (long === "--namespace" || long === "--istioNamespace")
    return { candidates: (await names(command, "namespaces", current)).map((word) => ({ word, text: "" })), directive: NO_FILES };
  if (/^--(file|filename|kubeconfig|output-dir|dir|manifests|meshConfigFile)$/.test(long)) return { candidates: [], directive: FILES };
  // "json, yaml or short" in the flag's text, as every -o has it.
  const choices = long === "--output" ? [...option.description.matchAll(/[a-z-]+/g)].map(([word]) => word).filter((word) => OUTPUTS.has(word)) : [];
  return {
    candidates: choices.filter((word) => word.startsWith(current)).map((word) => ({ word, text: "" })),
    directive: choices.length > 0 ? NO_FILES : FILES,
  };
}

const OUTPUTS = new Set(["json", "yaml", "short", "table", "log", "prom", "prom-merged"]);

/** Flags before the cursor say in which cluster and namespace to look. */
function remember(command: Command, option: Option, value: string): void {
  command.setOptionValue(option.attributeName(), value);
}

function byWord(a: Candidate, b: Candidate): number {
  return a.word < b.word ? -1 : 1;
}

/** A completion that cannot ask the cluster has no names: a shell's prompt is no place for an error. */
async function clusterNames(command: Command, kind: NameKind, prefix: string): Promise<string[]> {
  try {
    const [{ openKube }, { NAMESPACES, PODS, SERVICES }] = await Promise.all([import("../kube-access.ts"), import("../../../kube/index.ts")]);
    const kube = await openKube(globalsOf(command));
    const [resource, place] = kind === "namespaces" ? [NAMESPACES, {}] : [kind === "pods" ? PODS : SERVICES, { namespace: kube.namespace }];
    const { items } = await kube.client.list(resource, place);
    return items
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith(prefix))
      .sort();
  } catch {
    return [];
  }
}
