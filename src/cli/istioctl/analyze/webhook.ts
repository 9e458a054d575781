import type { KubeObject } from "../../../resources/types.ts";
import { hooksOf, isIstioConfiguration, revisionOf, selects, type Labels } from "../injection/webhooks.ts";
import { type Analyzer, type Finding, goList } from "./findings.ts";
import { list, object, text, type World } from "./world.ts";

export const webhooks: Analyzer = {
  name: "webhook.Analyzer",
  description: "Checks the validity of Istio webhooks",
  needs: ["Service"],
  run: (world) => [...overlaps(world.kind("MutatingWebhookConfiguration")), ...missingServices(world)],
};

/** Webhooks that take the same pod inject it twice: tried with every combination of labels that they ask about. */
export function overlaps(configurations: readonly KubeObject[]): Finding[] {
  const istios = configurations.filter((configuration) => revisionsOf(configuration).length > 0 || isIstioConfiguration(configuration));
  const revisions = [...new Set(istios.flatMap(revisionsOf))];
  const hooks = istios.flatMap((about) => hooksOf(about).map((hook) => ({ about, hook, name: `${about.metadata.name}/${hook.name}` })));
  const namespaces = combinations("istio-injection", ["enabled", "disabled"], revisions);
  const pods = combinations("sidecar.istio.io/inject", ["true", "false"], revisions);
  return namespaces.flatMap((namespace) =>
    pods.flatMap((pod) => {
      const taking = hooks.filter(({ hook }) => selects(hook.namespaceSelector, namespace) && selects(hook.objectSelector, pod));
      const names = new Set(taking.map(({ name }) => name));
      if (names.size < 2) return [];
      return taking.map(({ about, name }): Finding => ({
        code: "IST0139",
        about,
        message: `Webhook overlaps with others: ${goList([...names].filter((other) => other !== name).sort())}. This may cause injection to occur twice.`,
      }));
    }),
  );
}

function combinations(label: string, values: readonly string[], revisions: readonly string[]): Labels[] {
  const bases: Labels[] = [{}, ...values.map((value) => ({ [label]: value }))];
  return [...bases, ...revisions.flatMap((revision) => bases.map((base) => ({ ...base, "istio.io/rev": revision })))];
}

/** Revisions that a configuration is labelled with or asks about. */
function revisionsOf(configuration: KubeObject): string[] {
  const asked = hooksOf(configuration)
    .flatMap(({ namespaceSelector, objectSelector }) => [namespaceSelector, objectSelector])
    .flatMap((selector) => [
      selector?.matchLabels?.["istio.io/rev"],
      ...(selector?.matchExpressions ?? []).filter(({ key }) => key === "istio.io/rev").flatMap(({ values = [] }) => values),
    ]);
  const labelled = configuration.metadata.labels?.["istio.io/rev"] === undefined ? [] : [revisionOf(configuration)];
  return [...new Set([...labelled, ...asked.filter((revision) => revision !== undefined)])];
}

function missingServices(world: World): Finding[] {
  return world.kind("MutatingWebhookConfiguration").flatMap((about) => {
    if (revisionsOf(about).length === 0 && !isIstioConfiguration(about)) return [];
    return list(about.webhooks).flatMap((hook): Finding[] => {
      const { service } = object(hook.clientConfig);
      if (service === undefined) return [];
      const { namespace, name } = object(service);
      if (world.find("Service", text(namespace), text(name))) return [];
      return [{ code: "IST0139", about, message: `Injector refers to a control plane service that does not exist: ${text(namespace)}/${text(name)}.` }];
    });
  });
}
