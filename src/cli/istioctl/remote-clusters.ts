import { Command } from "commander";
import { tabwriter } from "./format/tabwriter.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { withHelp } from "./line/index.ts";
import { list, text, type Json } from "./proxy-config/dump.ts";
import { openKube, type KubeAccess } from "./kube-access.ts";
import { istiodPods, podRef } from "./version.ts";

const MONITORING_PORT = 15014;

/** `istioctl remote-clusters`: the clusters that each replica of istiod reads. */
export function remoteClustersCommand(): Command {
  const command = withGlobals(new Command("remote-clusters"))
    .description("Lists the clusters that each control plane reads")
    .option("-r, --revision <string>", "revision of the control plane")
    .argument("[args...]");
  withHelp(command, { use: "" });
  return command.action(async (_: string[], { revision }: { revision?: string }) => {
    process.stdout.write(await remoteClusters(await openKube(globalsOf(command)), revision));
  });
}

export async function remoteClusters(kube: KubeAccess, revision?: string): Promise<string> {
  const pods = (await istiodPods(kube, revision)).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rows = await Promise.all(
    pods.map(async (pod) => {
      const { body } = await kube.request(podRef(pod), MONITORING_PORT, "GET", "/debug/clusterz");
      return list(JSON.parse(body) as Json[]).map((cluster) => [
        text(cluster.id),
        text(cluster.secretName),
        text(cluster.syncStatus),
        pod.metadata.name,
        pod.metadata.labels?.["istio.io/rev"] ?? "",
      ]);
    }),
  );
  return tabwriter([["NAME", "SECRET", "STATUS", "ISTIOD", "REVISION"], ...rows.flat()], 5);
}
