import type { Conversion, KubeObject } from "../types.ts";

/** autoscaling/v1 has one target; what else v2 knows travels in annotations, as Kubernetes' own conversion has it. */
const METRICS = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior";

interface Target {
  type?: string;
  averageUtilization?: number;
  averageValue?: unknown;
  value?: unknown;
}
interface Source {
  name?: string;
  container?: string;
  metric?: { name?: string; selector?: unknown };
  describedObject?: unknown;
  target?: Target;
  current?: Target;
}
/** A v2 metric or its status: its type, and its source under the type's name. */
type Metric = Record<string, unknown> & { type?: string };
interface Spec {
  targetCPUUtilizationPercentage?: number;
  metrics?: Metric[] | null;
  behavior?: unknown;
}
interface Status {
  currentCPUUtilizationPercentage?: number;
  currentMetrics?: Metric[] | null;
  conditions?: unknown[] | null;
}

/** HorizontalPodAutoscalers between autoscaling/v1 and v2, in which they are stored. */
export const autoscalerConversion: Conversion = {
  toStorage(object) {
    const { targetCPUUtilizationPercentage: target, ...spec } = (object.spec ?? {}) as Spec;
    const { currentCPUUtilizationPercentage: current, ...status } = (object.status ?? {}) as Status;
    const annotations = { ...object.metadata.annotations };
    const take = (name: string): unknown => {
      const text = annotations[name];
      delete annotations[name];
      return text === undefined ? undefined : parsed(text);
    };
    const metrics = [...list(take(METRICS)).map((metric) => fromV1(metric, "target")), ...(target === undefined ? [] : [cpu("target", target)])];
    const currentMetrics = [
      ...list(take(CURRENT_METRICS)).map((metric) => fromV1(metric, "current")),
      ...(current === undefined ? [] : [cpu("current", current)]),
    ];
    const conditions = take(CONDITIONS);
    const behavior = take(BEHAVIOR);
    return {
      ...withAnnotations(object, annotations),
      apiVersion: "autoscaling/v2",
      spec: { ...spec, ...(metrics.length > 0 ? { metrics } : {}), ...(isRecord(behavior) ? { behavior } : {}) },
      ...(object.status === undefined
        ? {}
        : { status: { ...status, currentMetrics: currentMetrics.length > 0 ? currentMetrics : null, ...(Array.isArray(conditions) ? { conditions } : {}) } }),
    };
  },
  fromStorage(object) {
    const { metrics, behavior, ...spec } = (object.spec ?? {}) as Spec;
    const { currentMetrics, conditions, ...status } = (object.status ?? {}) as Status;
    const annotations = { ...object.metadata.annotations };
    const wanted = split(metrics, "target");
    const current = split(currentMetrics, "current");
    if (wanted.others.length > 0) annotations[METRICS] = JSON.stringify(wanted.others);
    if (current.others.length > 0) annotations[CURRENT_METRICS] = JSON.stringify(current.others);
    if (conditions && conditions.length > 0) annotations[CONDITIONS] = JSON.stringify(conditions);
    if (behavior !== undefined) annotations[BEHAVIOR] = JSON.stringify(behavior);
    return {
      ...withAnnotations(object, annotations),
      apiVersion: "autoscaling/v1",
      spec: { ...spec, ...(wanted.utilization === undefined ? {} : { targetCPUUtilizationPercentage: wanted.utilization }) },
      ...(object.status === undefined
        ? {}
        : { status: { ...status, ...(current.utilization === undefined ? {} : { currentCPUUtilizationPercentage: current.utilization }) } }),
    };
  },
};

type Part = "target" | "current";

function cpu(part: Part, averageUtilization: number): Metric {
  return { type: "Resource", resource: { name: "cpu", [part]: { ...(part === "target" ? { type: "Utilization" } : {}), averageUtilization } } };
}

/** v1's own field shows the first CPU utilization; all others keep their order. */
function split(metrics: Metric[] | null | undefined, part: Part): { utilization: number | undefined; others: Metric[] } {
  const all = metrics ?? [];
  const sourceOf = (metric: Metric) => metric.resource as Source | undefined;
  const first = all.find(
    (metric) => metric.type === "Resource" && sourceOf(metric)?.name === "cpu" && sourceOf(metric)?.[part]?.averageUtilization !== undefined,
  );
  return {
    utilization: first && sourceOf(first)?.[part]?.averageUtilization,
    others: all.filter((metric) => metric !== first).map((metric) => toV1(metric, part)),
  };
}

const SOURCES: Record<string, string> = { Resource: "resource", ContainerResource: "containerResource", Pods: "pods", Object: "object", External: "external" };

/** The names of a source's values in the annotations: `averageUtilization` is `targetAverageUtilization`. */
function valueName(type: string | undefined, name: "averageUtilization" | "averageValue" | "value", part: Part): string {
  // Object metrics alone have an averageValue without the word in front.
  if (type === "Object" && name === "averageValue") return name;
  return part + name[0]?.toUpperCase() + name.slice(1);
}

function toV1(metric: Metric, part: Part): Metric {
  const key = SOURCES[metric.type ?? ""];
  const source = key === undefined ? undefined : (metric[key] as Source | undefined);
  if (key === undefined || source === undefined) return metric;
  const { name, container, metric: named, describedObject } = source;
  const flat: Record<string, unknown> = {
    name,
    container,
    metricName: named?.name,
    [metric.type === "External" ? "metricSelector" : "selector"]: named?.selector,
    ...(describedObject === undefined ? {} : { target: describedObject }),
  };
  for (const value of ["averageUtilization", "averageValue", "value"] as const) flat[valueName(metric.type, value, part)] = source[part]?.[value];
  return { type: metric.type, [key]: defined(flat) };
}

function fromV1(value: unknown, part: Part): Metric {
  const metric = (isRecord(value) ? value : {}) as Metric;
  const key = SOURCES[metric.type ?? ""];
  const flat = key === undefined ? undefined : metric[key];
  if (key === undefined || !isRecord(flat)) return metric;
  const values: Record<string, unknown> = {};
  for (const name of ["averageUtilization", "averageValue", "value"] as const) values[name] = flat[valueName(metric.type, name, part)];
  const type = values.averageUtilization !== undefined ? "Utilization" : values.averageValue !== undefined ? "AverageValue" : "Value";
  const selector = flat.selector ?? flat.metricSelector;
  return {
    type: metric.type,
    [key]: defined({
      name: flat.name,
      container: flat.container,
      metric: flat.metricName === undefined ? undefined : defined({ name: flat.metricName, selector }),
      describedObject: metric.type === "Object" ? flat.target : undefined,
      [part]: defined({ ...(part === "target" ? { type } : {}), ...values }),
    }),
  };
}

function withAnnotations(object: KubeObject, annotations: Record<string, string>): KubeObject {
  const { annotations: _, ...metadata } = object.metadata;
  return { ...object, metadata: Object.keys(annotations).length > 0 ? { ...metadata, annotations } : metadata };
}

function defined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Annotations are anybody's text: what is no JSON says nothing. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
