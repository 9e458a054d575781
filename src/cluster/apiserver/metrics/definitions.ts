import type { Column, KubeObject, ResourceDefinition, Schema } from "../../../resources/index.ts";

export const METRICS_GROUP = "metrics.k8s.io";

/** What something used: quantities by resource. */
export type Usage = { cpu: string; memory: string };

const USAGE: Schema = { type: "object", additionalProperties: { type: "string" }, description: "What was used: cpu in cores, memory in bytes" };
const COMMON: Record<string, Schema> = {
  timestamp: { type: "string", format: "date-time", description: "When the measurement ended" },
  window: { type: "string", description: "How long was measured, such as 15s" },
};
const CONTAINERS: Schema = {
  type: "array",
  description: "Each running container of the pod",
  items: { type: "object", required: ["name", "usage"], properties: { name: { type: "string" }, usage: USAGE } },
};

/** NodeMetrics and PodMetrics, which are measured when asked for and never stored. */
export function metricsDefinitions(): ResourceDefinition[] {
  return [
    definition("nodes", "NodeMetrics", false, { usage: USAGE }, [
      usageColumn("cpu", (object) => [object.usage as Usage]),
      usageColumn("memory", (object) => [object.usage as Usage]),
    ]),
    definition("pods", "PodMetrics", true, { containers: CONTAINERS }, [usageColumn("cpu", containerUsages), usageColumn("memory", containerUsages)]),
  ];
}

function definition(plural: string, kind: string, namespaced: boolean, properties: Record<string, Schema>, columns: Column[]): ResourceDefinition {
  return {
    group: METRICS_GROUP,
    versions: [{ name: "v1beta1", schema: { type: "object", properties: { ...COMMON, ...properties } } }],
    storageVersion: "v1beta1",
    kind,
    listKind: `${kind}List`,
    plural,
    singular: "",
    shortNames: [],
    categories: [],
    namespaced,
    verbs: ["get", "list"],
    subresources: [],
    columns: [
      { name: "Name", type: "string", format: "name", description: "unique within its namespace", priority: 0, cell: (object) => object.metadata.name },
      ...columns,
      { name: "Window", type: "string", description: "how long was measured", priority: 0, cell: (object) => String(object.window ?? "") },
    ],
    custom: false,
    hasGeneration: false,
    selectableFields: {},
  };
}

function containerUsages(object: KubeObject): Usage[] {
  return ((object.containers ?? []) as { usage: Usage }[]).map(({ usage }) => usage);
}

/** The sum of what was used, in the unit in which it is measured: `n` for cpu, `Ki` for memory. */
function usageColumn(resource: keyof Usage, usages: (object: KubeObject) => Usage[]): Column {
  const unit = resource === "cpu" ? "n" : "Ki";
  const cell = (object: KubeObject) => `${usages(object).reduce((sum, usage) => sum + Number.parseInt(usage[resource]), 0)}${unit}`;
  return { name: resource === "cpu" ? "CPU" : "Memory", type: "string", description: `${resource} used`, priority: 0, cell };
}
