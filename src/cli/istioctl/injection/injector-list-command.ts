import { Command } from "commander";
import { globalsOf, withGlobals } from "../globals.ts";
import { group, withHelp } from "../line/index.ts";

/** `x injector list`. */
export function injectorCommand(): Command {
  const list = withGlobals(new Command("list"))
    .description("Namespaces, the revisions of their pods' sidecars, and the webhooks that inject them")
    .argument("[args...]");
  list.action(async () => {
    const [{ openKube }, { CONFIG_MAPS, MUTATING_WEBHOOK_CONFIGURATIONS, NAMESPACES, PODS }, { injectableNamespaces, injectorTables }] = await Promise.all([
      import("../kube-access.ts"),
      import("../../../kube/index.ts"),
      import("./injector-list.ts"),
    ]);
    const globals = globalsOf(list);
    const { client, istioNamespace } = await openKube(globals);
    const [all, configurations, pods, configMaps] = await Promise.all([
      client.list(NAMESPACES),
      client.list(MUTATING_WEBHOOK_CONFIGURATIONS, { labelSelector: "app=sidecar-injector" }),
      client.list(PODS),
      client.list(CONFIG_MAPS, { labelSelector: "istio.io/rev" }),
    ]);
    const injectable = injectableNamespaces(all.items, istioNamespace);
    const chosen = injectable.filter(({ metadata }) => metadata.name === globals.namespace);
    process.stdout.write(
      injectorTables({
        namespaces: chosen.length > 0 ? chosen : injectable,
        configurations: configurations.items,
        pods: pods.items,
        configMaps: configMaps.items,
      }),
    );
  });
  withHelp(list, { use: "", example: "  istioctl experimental injector list" });
  const root = group(
    withGlobals(new Command("injector")).description("Sidecar injectors and sidecars' versions"),
    (word) => `unknown subcommand ${JSON.stringify(word)}`,
  );
  root.addCommand(list);
  return withHelp(root, { runnable: true, example: "  istioctl experimental injector list" });
}
