import { expect, test } from "bun:test";
import { istioctlProgram } from "../index.ts";
import { complete, type NameKind } from "./completion.ts";
import { SCRIPTS, type Shell } from "./completion-scripts.ts";
import { formatHelp, LineProgram } from "./index.ts";
import { Command } from "commander";

const ISTIOCTL = `${import.meta.dir}/../../../../bin/istioctl`;

/** One call of the program; it has no cluster. */
function call(...args: string[]): { out: string; err: string; code: number } {
  const { stdout, stderr, exitCode } = Bun.spawnSync([ISTIOCTL, ...args], { env: { ...process.env, KUBECONFIG: "/nonexistent/config", HOME: "/nonexistent" } });
  return { out: stdout.toString(), err: stderr.toString(), code: exitCode };
}

const find = (...names: string[]): Command =>
  names.reduce<Command>((command, name) => command.commands.find((one) => one.name() === name || one.aliases().includes(name)) as Command, istioctlProgram());

test("what cannot be read ends with Go's words and 64", () => {
  const { err, code } = call("nosuch");
  expect([err, code]).toEqual(['Error: unknown command "nosuch" for "istioctl"\nRun \'istioctl --help\' for usage.\n', 64]);
  expect(call("pc", "cluster", "x", "--port", "abc")).toEqual({
    out: "",
    err: 'Error: invalid argument "abc" for "--port" flag: strconv.ParseInt: parsing "abc": invalid syntax\n',
    code: 64,
  });
}, 20_000);

test("every command has help in Cobra's layout: usage, flags of its own, flags of all", () => {
  const walk = (command: Command): void => {
    const help = formatHelp(command);
    expect(help).toMatch(/\n\nUsage:\n {2}istioctl/);
    // The root's own flags are everybody's.
    if (command.parent) expect(help).toContain("\n\nGlobal Flags:\n");
    for (const subcommand of command.commands) walk(subcommand);
  };
  walk(istioctlProgram());
  expect(formatHelp(find("pc", "cluster"))).toContain(
    "  istioctl proxy-config cluster [<type>/]<name>[.<namespace>] [flags]\n\nAliases:\n  cluster, clusters, c\n",
  );
});

test("the names of the issue's commands are there, and those that refuse say why", async () => {
  for (const path of [
    "pc all",
    "pc bootstrap",
    "pc cluster",
    "pc listener",
    "pc route",
    "pc endpoint",
    "pc secret",
    "pc log",
    "pc ecds",
    "pc rootca-compare",
    "ps",
    "analyze",
    "dashboard kiali",
    "x describe pod",
    "x describe svc",
    "x authz check",
    "x check-inject",
    "x precheck",
    "x injector list",
    "tag list",
    "tag set",
    "tag remove",
    "tag generate",
    "validate",
    "manifest generate",
    "install",
    "uninstall",
    "upgrade",
    "bug-report",
    "kube-inject",
    "completion zsh",
    "version",
  ]) {
    expect([path, find(...path.split(" "))?.name()]).toEqual([path, expect.any(String)]);
  }
  expect(istioctlProgram().parseAsync(["create-remote-secret"])).rejects.toThrow("reads one cluster, its own");
});

const words = async (line: string, names: Record<string, string[]> = {}): Promise<string[]> => {
  const parts = line.split(" ").slice(1);
  const found = await complete(istioctlProgram(), parts, async (_: Command, kind: NameKind, prefix: string) =>
    (names[kind] ?? []).filter((name) => name.startsWith(prefix)),
  );
  return [...found.candidates.map(({ word }) => word), `:${found.directive}`];
};

test("completion: commands, flags, their values, and names from the cluster", async () => {
  expect(await words("istioctl proxy-c")).toEqual(["proxy-config", ":4"]);
  expect(await words("istioctl pc s")).toEqual(["secret", ":4"]);
  expect(await words("istioctl pc cluster --fq")).toEqual(["--fqdn", ":4"]);
  expect(await words("istioctl pc cluster -o ")).toEqual(["json", "yaml", "short", ":4"]);
  expect(await words("istioctl pc cluster --output=y")).toEqual(["yaml", ":4"]);
  expect(await words("istioctl pc cluster -f ")).toEqual([":0"]);
  expect(await words("istioctl pc cluster web", { pods: ["web-api", "web-2", "sleep"] })).toEqual(["web-api", "web-2", ":4"]);
  expect(await words("istioctl x describe service w", { pods: ["no"], services: ["web"] })).toEqual(["web", ":4"]);
  expect(await words("istioctl ps -n is", { namespaces: ["istio-system", "default"] })).toEqual(["istio-system", ":4"]);
});

test("the scripts are ones that their shells can read", () => {
  for (const shell of Object.keys(SCRIPTS) as Shell[]) {
    const script = SCRIPTS[shell].script("__complete");
    expect(script).toContain("__complete");
    if (Bun.which(shell)) expect([shell, Bun.spawnSync([shell, "-n"], { stdin: new TextEncoder().encode(script) }).stderr.toString()]).toEqual([shell, ""]);
  }
});

test("a flag may stand before and behind a command's name", async () => {
  const seen: unknown[] = [];
  const program = new LineProgram("istioctl").option("--browser", "", true).option("--no-browser", "").option("-o, --output <string>", "", "short");
  const page = new Command("page")
    .option("--browser", "", true)
    .option("--no-browser", "")
    .option("-o, --output <string>", "", "short")
    .action((options) => void seen.push(options));
  program.addCommand(page);
  program.settle();
  for (const line of [
    ["page", "-o", "json"],
    ["-o", "yaml", "page"],
    ["--browser=false", "page"],
    ["-o", "yaml", "page", "-o", "json", "--browser=false"],
  ])
    await program.parseAsync(line);
  expect(seen).toHaveLength(4);
  expect(seen.at(-1)).toEqual({ browser: false, output: "json" });
});

test("flags of Go: a boolean with a value, a short one with a sign", async () => {
  const seen: unknown[] = [];
  const program = new LineProgram("istioctl").option("--verbose", "", true).option("--no-verbose", "").option("-o, --output <string>", "", "short");
  program.action((options) => void seen.push(options));
  program.settle();
  await program.parseAsync(["--verbose=false", "-o=json"]);
  expect(seen).toEqual([{ verbose: false, output: "json" }]);
});
