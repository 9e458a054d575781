import { Command, type CommanderError, type Option } from "commander";
import { CommandParseError, ExitError } from "./errors.ts";
import { commandPath, formatHelp } from "./help.ts";

/** A command that only holds others: alone, or with a word that it does not know, it shows its help; `refuse` names such a word. */
export function group(command: Command, refuse?: (word: string) => string): Command {
  return command.allowExcessArguments().action(() => {
    const [word] = command.args;
    if (word !== undefined && refuse) throw new ExitError("USAGE", refuse(word), 1);
    command.outputHelp();
  });
}

export function allCommands(root: Command): Command[] {
  return [root, ...root.commands.flatMap((command) => allCommands(command))];
}

/** What a shell's completion script calls, with and without explanations. */
const COMPLETIONS = new Set(["__complete", "__completeNoDesc"]);

/** The root command. It reads flags as Go does, and ends with Cobra's words and exit codes. */
export class LineProgram extends Command {
  /** To be called when all commands are there. */
  settle(): this {
    for (const command of allCommands(this)) {
      command.configureHelp({ formatHelp: (target) => formatHelp(target) });
      command.exitOverride((error) => throwReadable(command, error));
      command.configureOutput({ outputError: () => {} });
      command.showSuggestionAfterError(false);
      command.helpCommand(false);
      // A flag belongs to the command that it follows, also where one above has one of the same name.
      command.enablePositionalOptions();
    }
    return this.hook("preAction", (_, command) => takeFlagsFromAbove(command));
  }

  override async parseAsync(argv: readonly string[] = process.argv.slice(2)): Promise<this> {
    const [first = "", ...words] = argv;
    // Not a command: a line that is not finished cannot be parsed as one.
    if (COMPLETIONS.has(first)) {
      await (await import("./completion.ts")).runComplete(this, words, first === "__complete");
      return this;
    }
    try {
      return await super.parseAsync(readableFlags(argv, this), { from: "user" });
    } catch (error) {
      if (!(error instanceof ExitError)) throw error;
      if (error.message !== "") process.stderr.write(`Error: ${error.message}\n`);
      if (error.hint !== undefined) process.stderr.write(`${error.hint}\n`);
      process.exit(error.exitCode);
    }
  }
}

/** Flags that a command has from the ones above may stand before its name too. */
function takeFlagsFromAbove(command: Command): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === "cli") continue;
    for (let above = command.parent; above; above = above.parent) {
      if (above.getOptionValueSource(name) !== "cli" || !above.options.some(({ long }) => long === option.long)) continue;
      command.setOptionValue(name, above.getOptionValue(name));
      break;
    }
  }
}

/** The command that a line leads to, with the words that are left for it. */
function leadsTo(root: Command, argv: readonly string[]): Command {
  let command = root;
  for (const word of argv) {
    if (word.startsWith("-")) continue;
    const next = command.commands.find((candidate) => candidate.name() === word || candidate.aliases().includes(word));
    if (!next) break;
    command = next;
  }
  return command;
}

/**
 * Go's flags: `--flag=false` for those that take no value, `-o=json` for short ones. A flag without a value is the
 * flag set; whatever else stands after the sign has to be a boolean.
 */
function readableFlags(argv: readonly string[], root: Command): string[] {
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  const { options } = leadsTo(root, flags);
  const named = (name: string): Option | undefined => options.find((option) => !option.negate && (option.long === name || option.short === name));
  const read = flags.map((argument) => {
    const equals = argument.startsWith("-") ? argument.indexOf("=") : -1;
    if (equals < 0) return argument;
    const [name, value] = [argument.slice(0, equals), argument.slice(equals + 1)];
    const option = named(name);
    if (!option) return argument;
    if (option.required || option.optional) return name.startsWith("--") ? argument : `${name}${value}`;
    const on = booleanValue(value);
    if (on === undefined)
      throw new CommandParseError(
        `invalid argument ${JSON.stringify(value)} for ${JSON.stringify(flagName(option))} flag: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
      );
    return on ? name : (options.find(({ long, negate }) => negate && long === option.long?.replace(/^--/, "--no-"))?.long ?? "");
  });
  // An option that is off unless it is named needs no word for off.
  return [...read.filter((argument, index) => argument !== "" || flags[index] === ""), ...(end < 0 ? [] : argv.slice(end))];
}

function booleanValue(text: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  return ["0", "f", "F", "FALSE", "false", "False"].includes(text) ? false : undefined;
}

function flagName(option: Option): string {
  return option.short ? `${option.short}, ${option.long}` : (option.long ?? "");
}

/** Help ends well; what cannot be read ends with Cobra's words. */
function throwReadable(command: Command, error: CommanderError): never {
  if (error.exitCode === 0) process.exit(0);
  const quoted = /'(.*)'/.exec(error.message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownCommand":
      throw new ExitError("USAGE", `unknown command ${JSON.stringify(quoted)} for ${JSON.stringify(commandPath(command))}`, 64, {
        hint: `Run '${commandPath(command)} --help' for usage.`,
      });
    case "commander.unknownOption":
      throw new CommandParseError(
        quoted.startsWith("--") ? `unknown flag: ${quoted.split("=")[0]}` : `unknown shorthand flag: '${quoted.slice(1, 2)}' in ${quoted}`,
      );
    case "commander.optionMissingArgument": {
      const [short = "", long = ""] = /^(?:(-\w), )?(--[\w-]+)/.exec(quoted)?.slice(1) ?? [];
      throw new CommandParseError(process.argv.includes(short) ? `flag needs an argument: '${short.slice(1)}' in ${short}` : `flag needs an argument: ${long}`);
    }
    case "commander.missingArgument":
    case "commander.excessArguments":
      throw new ExitError("USAGE", argumentsText(command), 1);
    default:
      throw new CommandParseError(error.message.replace(/^error: /, ""));
  }
}

function argumentsText(command: Command): string {
  const most = command.registeredArguments.length;
  const least = command.registeredArguments.filter(({ required }) => required).length;
  const wanted = least === most ? `accepts ${most} arg(s)` : `accepts between ${least} and ${most} arg(s)`;
  return `${wanted}, received ${command.args.length}`;
}
