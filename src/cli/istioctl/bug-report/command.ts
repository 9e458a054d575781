import { Command } from "commander";
import { SYSTEM_NAMESPACES } from "../../../controlplane/injection/index.ts";
import { collect, collectList, globalsOf, withGlobals } from "../globals.ts";
import { intOption, withHelp } from "../line/index.ts";
import type { BugReportOptions } from "./run.ts";

/** `istioctl bug-report`: one archive with what somebody else needs to see. */
export function bugReportCommand(): Command {
  const command = withGlobals(new Command("bug-report"))
    .summary("Collects what helps to find a fault into an archive")
    .description(
      "Collects versions, resources, logs, debug pages and what analyze says into bug-report.tar.gz. The contents of Secrets are not in it.\n" +
        "Proxies can be chosen by --include and --exclude ns1,ns2/deployment1/pod1/label=value/annotation=value/container, where every part may be left out and * stands for anything.",
    )
    .option("--include <stringArray>", "whose proxies to look at", collect)
    .option("--exclude <stringArray>", `whose to leave out (default ["${[...SYSTEM_NAMESPACES].sort().join(",")}"])`, collect)
    .option("--start-time <string>", "logs from this time on, as in RFC 3339")
    .option("--end-time <string>", "logs up to this time")
    .option("--critical-errs <strings>", "accepted: all chosen logs are in the archive", collectList)
    .option("--ignore-errs <strings>", "accepted: all chosen logs are in the archive", collectList)
    .addOption(intOption("--rq-concurrency <int>", "how many questions the API server is asked at a time: 32 when left out"))
    .option("--istio-namespace <string>", "namespace of the control plane", "istio-system")
    .option("--output-dir <string>", "folder of the archive")
    .option("--dir <string>", "leave the files in this folder as well")
    .option("--dry-run", "say what would be fetched", false)
    .option("--duration <duration>", "logs of the last time only")
    .option("--tail <int>", "at most so many lines of each log; 0 is all", "0")
    .option("--proxy-admin-port <int>", "the proxies' admin port", "15000")
    .option("--skip-analyze", "leave out what analyze says", false)
    .option("--skip-cluster-dump", "leave out the cluster's resources", false)
    .option("--skip-proxy-debug", "leave out the proxies' admin pages", false)
    .option("--skip-coredumps", "accepted: there are none", false)
    .option("--skip-netstat", "accepted: it is not asked for", false)
    .option("--full-secrets", "refused: the contents of Secrets never go into an archive", false)
    .option("--timeout <duration>", "how long to fetch at most", "30m0s")
    .argument("[args...]");
  command.action(async (_: string[], options: BugReportOptions) => (await import("./run.ts")).runBugReport(options, globalsOf(command)));
  return withHelp(command, {
    use: "",
    own: ["--context", "--kubeconfig"],
    hides: ["--istioNamespace", "--namespace"],
    example: "  istioctl bug-report\n  istioctl bug-report --include shop --duration 1h",
  });
}
