import type { Telemetry, TelemetrySpec } from "../../../resources/index.ts";
import { appliesTo, type Workload } from "../../policy/index.ts";
import type { ExtensionProvider, MeshConfig } from "../../registry/index.ts";

export type MetricsSpec = NonNullable<TelemetrySpec["metrics"]>[number];
export type LoggingSpec = NonNullable<TelemetrySpec["accessLogging"]>[number];
export type TracingSpec = NonNullable<TelemetrySpec["tracing"]>[number];

/** On which side of a call a listener stands. A gateway counts as a client, like the outbound side. */
export type TrafficClass = "inbound" | "outbound" | "gateway";

/** What the Telemetry resources say for one workload, the widest first; later ones override. */
export interface AppliedTelemetry {
  readonly metrics: readonly MetricsSpec[];
  /** One list for each resource. */
  readonly logging: readonly (readonly LoggingSpec[])[];
  readonly tracing: readonly TracingSpec[];
}

/** The root namespace's resource, the namespace's, then all that select the workload. `telemetries` oldest first. */
export function applicableTelemetry(telemetries: readonly Telemetry[], workload: Workload, rootNamespace: string): AppliedTelemetry {
  if (telemetries.length === 0) return NONE;
  const wide = (namespace: string): Telemetry | undefined =>
    telemetries.find((telemetry) => telemetry.metadata.namespace === namespace && !isNarrow(telemetry));
  const applied = [
    wide(rootNamespace),
    workload.namespace === rootNamespace ? undefined : wide(workload.namespace),
    ...telemetries.filter(
      (telemetry) => telemetry.metadata.namespace === workload.namespace && isNarrow(telemetry) && appliesTo(telemetry, workload, rootNamespace),
    ),
  ].filter((telemetry) => telemetry !== undefined);
  return {
    metrics: applied.flatMap(({ spec }) => spec?.metrics ?? []),
    logging: applied.map(({ spec }) => spec?.accessLogging ?? []).filter((list) => list.length > 0),
    tracing: applied.flatMap(({ spec }) => spec?.tracing ?? []),
  };
}

const NONE: AppliedTelemetry = { metrics: [], logging: [], tracing: [] };

/** Providers are found in any case of letters. */
export function findProvider(mesh: MeshConfig, name: string): ExtensionProvider | undefined {
  return mesh.extensionProviders.find((provider) => provider.name.toLowerCase() === name.toLowerCase());
}

/** Whether something for one side of calls is meant for a listener; what names no side is for both. */
export function matchesSide(mode: string | undefined, trafficClass: TrafficClass): boolean {
  if (mode !== "CLIENT" && mode !== "SERVER") return true;
  return mode === (trafficClass === "inbound" ? "SERVER" : "CLIENT");
}

export function providerNames(providers: readonly { name: string }[] | undefined): string[] {
  return (providers ?? []).map(({ name }) => name);
}

function isNarrow({ spec }: Telemetry): boolean {
  return Object.keys(spec?.selector?.matchLabels ?? {}).length > 0 || spec?.targetRef !== undefined || (spec?.targetRefs?.length ?? 0) > 0;
}
