import { type Analyzer, type Finding } from "./findings.ts";
import { names, selections } from "./sidecar.ts";
import { list, namespaceOf, object, spec, stringMap, text } from "./world.ts";

export const unselectiveTelemetries: Analyzer = {
  name: "telemetry.DefaultSelectorAnalyzer",
  description: "Validates that there aren't multiple telemetry resources that have no selector",
  needs: [],
  run(world) {
    const all = world.kind("Telemetry").filter((telemetry) => spec(telemetry).selector === undefined);
    return all.flatMap((about): Finding[] => {
      const same = all.filter((other) => namespaceOf(other) === namespaceOf(about));
      return same.length < 2
        ? []
        : [
            {
              code: "IST0160",
              about,
              message: `The Telemetries ${names(same)} in namespace ${JSON.stringify(namespaceOf(about))} have no workload selector, which can lead to undefined behavior.`,
            },
          ];
    });
  },
};

export const lightstepProviders: Analyzer = {
  name: "telemetry.LightstepAnalyzer",
  description: "Validates that lightstep provider is still used",
  needs: [],
  run(world) {
    const lightstep = new Set(world.mesh.extensionProviders.filter((provider) => provider.lightstep !== undefined).map(({ name }) => name));
    return world.kind("Telemetry").flatMap((about) =>
      list(spec(about).tracing)
        .flatMap(({ providers }) => list(providers))
        .map(({ name }) => text(name))
        .filter((name) => lightstep.has(name))
        .map((name): Finding => ({
          code: "IST0002",
          about,
          message: `Deprecated: The Lightstep provider ${name} is deprecated, please migrate to OpenTelemetry provider.`,
        })),
    );
  },
};

export const accessLogProviders: Analyzer = {
  name: "telemetry.ProviderAnalyzer",
  description: "Validates that providers in telemetry resource is valid",
  needs: [],
  run(world) {
    const { accessLogging } = object(world.mesh.defaultProviders);
    if (Array.isArray(accessLogging) && accessLogging.length > 0) return [];
    return world.kind("Telemetry").flatMap((about) =>
      list(spec(about).accessLogging)
        .filter(({ disabled, providers }) => disabled !== true && list(providers).length === 0)
        .map((): Finding => ({
          code: "IST0157",
          about,
          message: `The Telemetry ${about.metadata.name} in namespace ${JSON.stringify(namespaceOf(about))} with empty providers will be ignored.`,
        })),
    );
  },
};

export const telemetrySelectors: Analyzer = {
  name: "telemetry.SelectorAnalyzer",
  description:
    "Validates that telemetries that define a selector match at least one pod, and that there aren't multiple telemetry resources that select overlapping pods",
  needs: ["Pod"],
  run(world) {
    const { missing, byPod } = selections(
      world,
      world.kind("Telemetry"),
      (telemetry) => stringMap(object(spec(telemetry).selector).matchLabels),
      ".spec.selector.matchLabels",
    );
    const overlapping = [...byPod].flatMap(([pod, telemetries]) =>
      telemetries.length < 2
        ? []
        : telemetries.map((about): Finding => ({
            code: "IST0159",
            about,
            message: `The Telemetries ${names(telemetries)} in namespace ${JSON.stringify(namespaceOf(pod))} select the same workload pod ${JSON.stringify(pod.metadata.name)}, which can lead to undefined behavior.`,
            path: ".metadata.name",
          })),
    );
    return [...missing, ...overlapping];
  },
};
