import { Command } from "commander";
import { clusterRunning } from "../../cluster/launch/index.ts";
import { adminClient, clusterStart, gatewayAddress, readiness } from "../cluster-api.ts";
import { type ClusterPaths, clusterNames, clusterPaths, readSettings } from "../home.ts";

export function statusCommand(): Command {
  return new Command("status")
    .description("what runs, where it listens and how it is; exits 1 unless everything is ready")
    .option("--name <cluster>", "which cluster (all of them by default)")
    .action(async (options: { name?: string }) => {
      const names = options.name ? [options.name] : clusterNames();
      if (names.length === 0) process.stdout.write("no cluster yet: chainmail up\n");
      let allReady = names.length > 0;
      for (const name of names) allReady = (await printStatus(clusterPaths(name))) && allReady;
      process.exitCode = allReady ? 0 : 1;
    });
}

/** Prints one cluster; returns whether everything in it is ready. */
export async function printStatus(paths: ClusterPaths): Promise<boolean> {
  const settings = readSettings(paths);
  const running = clusterRunning({ pidPath: paths.pid });
  if (!settings || !running) {
    process.stdout.write(`cluster ${paths.name}: stopped\n`);
    return false;
  }
  const client = await adminClient(paths);
  const state = await readiness(client, clusterStart(paths));
  const gateway = await gatewayAddress(client);
  const rows: [string, string][] = [
    ["API", `https://${settings.address}:${settings.apiPort}`],
    ["kubeconfig", paths.kubeconfig],
    ...(settings.proxy === "envoy" ? ([["proxy", `Envoy, ${settings.envoyPath}`]] as [string, string][]) : []),
    ...(gateway ? ([["gateway", `http://${gateway.ip}:${gateway.http}  https://${gateway.ip}:${gateway.https}`]] as [string, string][]) : []),
    ["log", paths.log],
    ["pods", `${state.ready} of ${state.total} ready`],
    ...state.waiting.map((pod): [string, string] => ["", `${pod.name}: ${pod.reason}`]),
  ];
  process.stdout.write(`cluster ${paths.name}: running (pid ${running.pid})\n`);
  for (const [name, value] of rows) process.stdout.write(`  ${name.padEnd(11)}${value}\n`);
  return state.complete;
}
