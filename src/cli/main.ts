/**
 * cli is what people type: `chainmail` and `istioctl`, one file a command.
 * It wires the rooms together: it alone knows which programs are which images and what a cluster is made of.
 * Commands are imported when they are called, so that a short one does not pay for the others.
 */
import { Command } from "commander";
import { ChainmailError, VERSION } from "../base/index.ts";

/** What a shell sees of a program that SIGPIPE ended: 128 and the signal's number. */
const EXIT_BROKEN_PIPE = 141;

// Whoever reads the output may have read enough (`chainmail status | head -1`): no error, and nothing more to do.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (thrown: NodeJS.ErrnoException) => (thrown.code === "EPIPE" ? process.exit(EXIT_BROKEN_PIPE) : fail(thrown)));
}

const program = process.env.CHAINMAIL_PROGRAM === "istioctl" ? await istioctl() : chainmail();
try {
  await program.parseAsync();
} catch (thrown) {
  fail(thrown);
}

function chainmail(): Command {
  const root = new Command("chainmail")
    .description("A service mesh with Istio's API on one Linux machine: no Docker, no cluster, no root")
    .version(VERSION)
    .showHelpAfterError();
  // A command's options are read by its own file; `allowUnknownOption` hands them through untouched.
  const lazy = (name: string, summary: string, load: () => Promise<Command>) =>
    root
      .command(name)
      .description(summary)
      .allowUnknownOption()
      .helpOption(false)
      .argument("[args...]")
      .action(async () => {
        const at = process.argv.indexOf(name);
        await (await load()).parseAsync(process.argv.slice(at + 1), { from: "user" });
      });
  lazy("up", "start the cluster and the mesh", async () => (await import("./commands/up.ts")).upCommand());
  lazy("down", "stop the cluster; nothing of it stays running", async () => (await import("./commands/down.ts")).downCommand());
  lazy("status", "what runs, where it listens and how it is", async () => (await import("./commands/status.ts")).statusCommand());
  lazy("env", 'print the environment for a shell: eval "$(chainmail env)"', async () => (await import("./commands/env.ts")).envCommand());
  lazy("lab", "the workshop: a shell in its folder; `lab check`, `lab reset`", async () => (await import("./commands/lab.ts")).labCommand());
  lazy("probe", "try whether this machine can host a cluster", async () => (await import("./commands/probe.ts")).probeCommand());
  lazy("image", "images that pods can name", async () => (await import("./commands/image.ts")).imageCommand());
  lazy("proxy", "run the proxy alone from an Envoy bootstrap", async () => (await import("./proxy.ts")).proxyCommand());
  lazy("xds", "print what a proxy would get from files of objects", async () => (await import("./xds-render.ts")).xdsCommand());
  return root;
}

async function istioctl(): Promise<Command> {
  return (await import("./istioctl/index.ts")).istioctlProgram();
}

/** One message, its likely mend, and exit code 1; a stack only for what nobody foresaw. */
function fail(thrown: unknown): never {
  if (thrown instanceof ChainmailError) {
    process.stderr.write(`Error: ${thrown.message}\n`);
    if (thrown.hint) process.stderr.write(`Try:   ${thrown.hint}\n`);
  } else {
    process.stderr.write(`Error: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  }
  process.exit(1);
}
