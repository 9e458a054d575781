import { Command, Option } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { withHelp } from "../line/index.ts";
import { withXdsFlags } from "../xds-flags.ts";
import type { KubeInjectOptions } from "./kube-inject-run.ts";

/** `istioctl kube-inject`: sidecars in files, for clusters without the webhook or people who want to see them. */
export function kubeInjectCommand(): Command {
  const command = withGlobals(new Command("kube-inject"))
    .summary("Adds sidecars to the pods in a file")
    .description("Adds sidecars to the pods and pod templates in a file, as the injection webhook of the cluster would.\nWhat has no pods is left as it is.")
    .option("-f, --filename <string>", "file with Kubernetes objects; - is stdin")
    .option("-o, --output <string>", "file to write instead of the standard output")
    .option("--meshConfigFile <string>", "the mesh's configuration from a file instead of the cluster")
    .option("--meshConfigMapName <string>", 'ConfigMap of the mesh\'s configuration, under its key "mesh"', "istio")
    .option("--valuesFile <string>", "values of injection from a file instead of the cluster")
    .option("--injectConfigFile <string>", "templates of injection from a file instead of the cluster")
    .addOption(
      new Option("--injectConfigMapName <string>", 'ConfigMap of injection, with "values" and templates in "config"')
        .default("istio-sidecar-injector")
        .hideHelp(),
    )
    .option("--operatorFileName <string>", "accepted: settings of an installation are in the cluster")
    .option("--webhookConfig <string>", "accepted: templates are read, not asked for", "istio-sidecar-injector")
    .option("-r, --revision <string>", "revision of the control plane");
  withXdsFlags(command);
  command.action(async (options: KubeInjectOptions) => {
    if (options.filename === undefined) throw new ChainmailError("USAGE", "1 error occurred:\n\t* filename not specified (see --filename or -f)\n\n");
    await (await import("./kube-inject-run.ts")).runKubeInject(options, globalsOf(command));
  });
  return withHelp(command, {
    use: "",
    hides: ["--namespace"],
    example: "  kubectl apply -f <(istioctl kube-inject -f deployment.yaml)\n  kubectl get deployment -o yaml | istioctl kube-inject -f - | kubectl apply -f -",
  });
}
