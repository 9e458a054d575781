import type { Command, Option } from "commander";

interface HelpTexts {
  /** Lines under "Examples:", indented as they shall appear. */
  readonly example?: string;
  /** What stands after the command's path in its usage line. */
  readonly use?: string;
  /** A page of help that is no command: named apart from the commands. */
  readonly topic?: boolean;
  /** A command that holds others and does something itself. */
  readonly runnable?: boolean;
  /** Its usage line does not speak of flags. */
  readonly noFlags?: boolean;
  /** Flags that are its own although a command above has one of the same name. */
  readonly own?: readonly string[];
  /** Flags that are taken and not told of. */
  readonly hides?: readonly string[];
}

const TEXTS = new WeakMap<Command, HelpTexts>();

/** Adds what commander has no place for. */
export function withHelp<C extends Command>(command: C, texts: HelpTexts): C {
  TEXTS.set(command, { ...TEXTS.get(command), ...texts });
  return command;
}

/** `istioctl proxy-config secret`. */
export function commandPath(command: Command): string {
  return command.parent ? `${commandPath(command.parent)} ${command.name()}` : command.name();
}

/** A command's whole help, in Cobra's layout. */
export function formatHelp(command: Command): string {
  const text = (command.description() || command.summary()).trimEnd();
  return `${text}\n\n${usageText(command)}`;
}

/** Help without its first paragraph: what is shown when the line makes no sense. */
export function usageText(command: Command): string {
  const path = commandPath(command);
  const subcommands = visible(command.commands);
  const { example, use, runnable, noFlags } = texts(command);
  const own = flagRows(command, ownOptions(command), true);
  const inherited = flagRows(command, inheritedOptions(command), false);
  const line = use ?? command.registeredArguments.map((argument) => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`)).join(" ");
  const sections = [
    [
      "Usage:",
      ...(subcommands.length === 0 || runnable ? [`  ${[path, line, noFlags ? "" : "[flags]"].filter(Boolean).join(" ")}`] : []),
      ...(subcommands.length > 0 ? [`  ${path} [command]`] : []),
    ].join("\n"),
    ...(command.aliases().length > 0 ? [`Aliases:\n  ${[command.name(), ...command.aliases()].join(", ")}`] : []),
    ...(example ? [`Examples:\n${example.trimEnd()}`] : []),
    ...(subcommands.length > 0 ? [`Available Commands:\n${commandRows(subcommands)}`] : []),
    ...(own.length > 0 ? [`Flags:\n${own.join("\n")}`] : []),
    ...(inherited.length > 0 ? [`Global Flags:\n${inherited.join("\n")}`] : []),
    ...topicSection(command),
    ...(subcommands.length > 0 ? [`Use "${path} [command] --help" for more information about a command.`] : []),
  ];
  return `${sections.join("\n\n")}\n`;
}

/** Flags of a command that no command above it has. */
function ownOptions(command: Command): readonly Option[] {
  return command.options.filter((option) => texts(command).own?.includes(option.long ?? "") || !isInherited(command, option));
}

/** Flags that a command has from the ones above it. */
function inheritedOptions(command: Command): readonly Option[] {
  const own = texts(command).own ?? [];
  return [...new Map(ancestors(command).flatMap(({ options }) => options.map((option): [string, Option] => [option.long ?? "", option]))).values()].filter(
    ({ long = "" }) => !own.includes(long) && !hidden(command).includes(long),
  );
}

function isInherited(command: Command, { long }: Option): boolean {
  return ancestors(command).some(({ options }) => options.some((option) => option.long === long));
}

function ancestors(command: Command): Command[] {
  return command.parent ? [command.parent, ...ancestors(command.parent)] : [];
}

/** What a command hides, those below it hide too. */
function hidden(command: Command): readonly string[] {
  return [command, ...ancestors(command)].flatMap((one) => texts(one).hides ?? []);
}

function texts(command: Command): HelpTexts {
  return TEXTS.get(command) ?? {};
}

/** Commander keeps the mark of a hidden command to itself and its help. */
function visible(commands: readonly Command[]): Command[] {
  return commands.filter((command) => Reflect.get(command, "_hidden") !== true && !texts(command).topic).sort((a, b) => (a.name() < b.name() ? -1 : 1));
}

/** Cobra's narrowest column of names. */
const MIN_NAME_WIDTH = 11;

function commandRows(commands: readonly Command[]): string {
  const width = Math.max(MIN_NAME_WIDTH, ...commands.map((command) => command.name().length));
  return commands.map((command) => `  ${command.name().padEnd(width)} ${command.summary() || command.description()}`).join("\n");
}

function topicSection(command: Command): string[] {
  const topics = command.commands.filter((candidate) => texts(candidate).topic);
  if (topics.length === 0) return [];
  const rows = topics.map(
    (topic) =>
      `  ${commandPath(topic).padEnd(commandPath(command).length + 1 + Math.max(MIN_NAME_WIDTH, ...command.commands.map((one) => one.name().length)))} ${topic.summary()}`,
  );
  return [`Additional help topics:\n${rows.join("\n")}`];
}

function flagRows(command: Command, options: readonly Option[], withHelpFlag: boolean): string[] {
  const help = { short: "-h", long: "--help", type: "", text: `help for ${command.name()}` };
  const turnsOff = (option: Option): boolean => option.negate && options.some(({ long, negate }) => !negate && long === option.long?.replace("--no-", "--"));
  const rows = options
    .filter((option) => !option.hidden && !turnsOff(option) && !hidden(command).includes(option.long ?? ""))
    .map((option) => ({
      short: option.short,
      long: option.long ?? "",
      type: placeholder(option),
      text: `${option.description}${option.negate ? "" : defaultText(option)}`,
    }));
  const all = (withHelpFlag ? [...rows, help] : rows).sort((a, b) => (a.long < b.long ? -1 : 1));
  const heads = all.map(({ short, long, type }) => `  ${short ? `${short}, ` : "    "}${long}${type ? ` ${type}` : ""}`);
  const width = Math.max(0, ...heads.map((head) => head.length));
  return all.map(({ text }, index) => `${(heads[index] ?? "").padEnd(width)}   ${text.replaceAll("\n", `\n${" ".repeat(width + 3)}`)}`.trimEnd());
}

/** The word for a flag's value: what stands between its brackets. */
function placeholder(option: Option): string {
  return /[<[](.+?)(?:\.\.\.)?[>\]]/.exec(option.flags)?.[1] ?? "";
}

/** Zero values are not worth telling. */
function defaultText(option: Option): string {
  const value: unknown = option.defaultValue;
  if (value === undefined || value === false || value === "" || value === "0" || value === 0 || (Array.isArray(value) && value.length === 0)) return "";
  if (typeof value !== "string") return ` (default ${Array.isArray(value) ? `[${value.join(",")}]` : String(value)})`;
  // Types of their own are told without quotes.
  return placeholder(option) === "string" ? ` (default ${JSON.stringify(value)})` : ` (default ${value})`;
}
