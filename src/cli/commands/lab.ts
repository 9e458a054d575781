import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { type Shell, checkLab, createShell, layDownEarlierLabs, resetLab, waitForLab, writeLabFolder } from "../../lab/index.ts";
import { adminClient } from "../cluster-api.ts";
import { type ClusterPaths, clusterPaths } from "../home.ts";
import { shellEnvironment } from "../shell-env.ts";
import { bringUp } from "./up.ts";

const say = (text: string) => process.stderr.write(`${text}\n`);

export function labCommand(): Command {
  const command = new Command("lab")
    .description("start the workshop: cluster, mesh, the services of labs 1 to 3, and a shell in the lab's folder")
    .option("--name <cluster>", "which cluster", "default")
    .option("--no-shell", "do not open a shell, print how to get its environment");
  command.action(async (options: { name: string; shell: boolean }) => {
    const { paths, shell, env } = await prepare(options.name);
    await waitForLab(shell);
    if (options.shell && process.stdin.isTTY && process.stdout.isTTY) return openShell(paths, env);
    const name = options.name === "default" ? "" : ` --name ${options.name}`;
    say(`the lab is ready. In any shell: eval "$(${env.PATH?.split(":")[0]}/chainmail env${name})" && cd "$CHAINMAIL_LAB_DIR"`);
  });
  command
    .command("check")
    .description("run the lab's 16 steps and say of each whether it shows what it must")
    .option("--name <cluster>", "which cluster", "default")
    .action(async (_options: unknown, self: Command) => {
      const { shell } = await prepare(nameOf(self));
      await waitForLab(shell);
      const { failed, passed } = await checkLab(shell, ({ number, title, problem, milliseconds }) => {
        const label = number === 0 ? "  before" : `step ${String(number).padStart(3)}`;
        process.stdout.write(
          `${problem === undefined ? "ok    " : "FAILED"} ${label}  ${title} (${Math.round(milliseconds)} ms)${problem === undefined ? "" : `\n       ${problem}`}\n`,
        );
      });
      process.stdout.write(`lab check: ${passed} passed, ${failed} failed\n`);
      process.exitCode = failed === 0 ? 0 : 1;
    });
  command
    .command("reset")
    .description("take back what lab 4 adds: its policies and the sleep service in the default namespace")
    .option("--name <cluster>", "which cluster", "default")
    .action(async (_options: unknown, self: Command) => {
      const { shell } = await prepare(nameOf(self), { fresh: true });
      await resetLab(shell);
      await waitForLab(shell);
      say("the lab is as it was before its first step");
    });
  return command;
}

/** `--name` may stand before or after the subcommand. */
function nameOf(command: Command): string {
  const { name } = command.optsWithGlobals<{ name?: string }>();
  return name ?? "default";
}

/** Starts what does not run yet, writes the folder and lays down labs 1 to 3. Idempotent. */
async function prepare(name: string, options: { fresh?: boolean } = {}): Promise<{ paths: ClusterPaths; shell: Shell; env: Record<string, string> }> {
  const paths = clusterPaths(name);
  await bringUp({ name, say });
  await writeLabFolder(paths.lab, options);
  const client = await adminClient(paths);
  const shellEnv = await shellEnvironment(paths, client);
  if (!shellEnv.SECURE_INGRESS_PORT) {
    throw new ChainmailError("GATEWAY_MISSING", "the ingress gateway has no address, so the lab's requests could not reach it", {
      hint: "kubectl get svc istio-ingressgateway -n istio-system",
    });
  }
  const env = { ...stringsOf(process.env), ...shellEnv };
  const shell = createShell(paths.lab, env);
  await layDownEarlierLabs(shell, say);
  return { paths, shell, env };
}

function openShell(paths: ClusterPaths, env: Record<string, string>): void {
  say("this shell is in the lab's folder; `exit` leaves it, the cluster goes on (chainmail down stops it)");
  const child = Bun.spawnSync(["bash", "-i"], { cwd: paths.lab, env, stdio: ["inherit", "inherit", "inherit"] });
  process.exitCode = child.exitCode;
}

function stringsOf(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
