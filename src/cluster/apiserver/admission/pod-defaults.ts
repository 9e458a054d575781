import type { KubeObject, Pod } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import { forbidden } from "../http/status.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

/** How long a pod stays on a node that is gone: Kubernetes' default. */
const EVICTION_SECONDS = 300;
const NODE_TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/** The classes that every cluster has. */
const SYSTEM_CLASSES: Record<string, number> = { "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000 };

interface Toleration {
  key?: string;
  operator?: string;
  effect?: string;
  tolerationSeconds?: number;
}

type Spec = NonNullable<Pod["spec"]> & {
  tolerations?: Toleration[];
  priority?: number;
  priorityClassName?: string;
  preemptionPolicy?: string;
  runtimeClassName?: string;
};

/** What admission adds to every pod: its priority, and how long it tolerates a lost node. */
export function podDefaults(store: Store): AdmissionPlugin {
  return {
    complete({ operation, resource, subresource, object, name }: Attributes): void {
      if (operation !== "CREATE" || resource.id !== "/pods" || subresource !== "" || !object?.spec) return;
      const spec = object.spec as Spec;
      setPriority(store, spec, resource.definition, name);
      const runtime = spec.runtimeClassName;
      if (runtime !== undefined && !store.get("node.k8s.io/runtimeclasses", "", runtime))
        throw forbidden(resource.definition, name, `pod rejected: RuntimeClass ${JSON.stringify(runtime)} not found`);
      for (const key of NODE_TAINTS) {
        const tolerated = spec.tolerations?.some(
          (one) => (one.key === key || (!one.key && one.operator === "Exists")) && (!one.effect || one.effect === "NoExecute"),
        );
        if (!tolerated) (spec.tolerations ??= []).push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: EVICTION_SECONDS });
      }
    },
  };
}

function setPriority(store: Store, spec: Spec, named: Attributes["resource"]["definition"], name: string): void {
  let priority = 0;
  let policy = "PreemptLowerPriority";
  const wanted = spec.priorityClassName;
  if (wanted) {
    const found = store.get("scheduling.k8s.io/priorityclasses", "", wanted)?.object as KubeObject | undefined;
    const value = SYSTEM_CLASSES[wanted] ?? found?.value;
    if (typeof value !== "number") throw forbidden(named, name, `no PriorityClass with name ${wanted} was found`);
    priority = value;
    if (typeof found?.preemptionPolicy === "string") policy = found.preemptionPolicy;
  } else {
    const standard = store.list("scheduling.k8s.io/priorityclasses").find(({ object }) => object.globalDefault === true)?.object;
    if (standard && typeof standard.value === "number") {
      priority = standard.value;
      spec.priorityClassName = standard.metadata.name;
    }
  }
  const computed = (what: string, given: number | string, value: number | string) =>
    forbidden(
      named,
      name,
      `the ${what} (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  if (spec.priority !== undefined && spec.priority !== priority) throw computed("integer value of priority", spec.priority, priority);
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
    throw computed("string value of PreemptionPolicy", spec.preemptionPolicy, policy);
  spec.priority = priority;
  spec.preemptionPolicy = policy;
}
