/**
 * Objects as Kubernetes' Go types write them, which istioctl's output has gone through: fields that are always there, zeros
 * that are left out, quantities in their shortest form. What is not known to be otherwise stays as it was written.
 */

type Fields = Record<string, unknown>;

/** Fields of a kind that are written even when they are empty, by their path. */
const ALWAYS: Readonly<Record<string, Readonly<Record<string, Fields>>>> = {
  Pod: { "": { status: {} } },
  Deployment: { "": { status: {} }, spec: { strategy: {} } },
  ReplicaSet: { "": { status: { replicas: 0 } } },
  ReplicationController: { "": { status: { replicas: 0 } } },
  StatefulSet: { "": { status: { availableReplicas: 0, replicas: 0 } }, spec: { updateStrategy: {} } },
  DaemonSet: { "": { status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 } }, spec: { updateStrategy: {} } },
  Job: { "": { status: {} } },
  CronJob: { "": { status: {} } },
};

/** Zeros of these fields say something: they are pointers, or written always. */
const POINTERS = new Set([
  "replicas",
  "terminationGracePeriodSeconds",
  "activeDeadlineSeconds",
  "backoffLimit",
  "completions",
  "parallelism",
  "ttlSecondsAfterFinished",
  "revisionHistoryLimit",
  "progressDeadlineSeconds",
  "defaultMode",
  "mode",
  "expirationSeconds",
  "runAsUser",
  "runAsGroup",
  "runAsNonRoot",
  "fsGroup",
  "privileged",
  "allowPrivilegeEscalation",
  "readOnlyRootFilesystem",
  "automountServiceAccountToken",
  "enableServiceLinks",
  "shareProcessNamespace",
  "optional",
  "suspend",
  "priority",
  "hostUsers",
  "port",
  "number",
  "weight",
  "containerPort",
  "tolerationSeconds",
  "maxSkew",
  "partition",
  "maxUnavailable",
  "maxSurge",
  "setHostnameAsFQDN",
  "value",
]);
/** Whose values are the user's own, whatever they are. */
const DATA = new Set(["labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "items"]);
/** Pointers to structs: an empty one is something. */
const STRUCTS = new Set([
  "emptyDir",
  "securityContext",
  "resources",
  "strategy",
  "updateStrategy",
  "status",
  "selector",
  "podSelector",
  "metadata",
  "lifecycle",
  "downwardAPI",
  "affinity",
  "nodeAffinity",
  "podAffinity",
  "podAntiAffinity",
  "spec",
  "template",
  "rollingUpdate",
  "labelSelector",
  "namespaceSelector",
]);
const QUANTITIES = new Set(["limits", "requests", "capacity", "overhead", "sizeLimit", "storage", "divisor"]);
const CONTAINERS = new Set(["containers", "initContainers", "ephemeralContainers"]);

export function asGoWrites(object: Fields): Fields {
  if (Array.isArray(object["items"]))
    return { metadata: {}, ...object, items: object["items"].map((item: unknown) => (isFields(item) && hasPods(item) ? asGoWrites(item) : item)) };
  const always = ALWAYS[String(object["kind"])] ?? {};
  const written = { ...always[""], ...(pruned(object, "") as Fields) };
  const { spec } = always;
  return spec && isFields(written["spec"]) ? { ...written, spec: { ...spec, ...written["spec"] } } : written;
}

/** Kinds that istioctl has read as such: others of a list stay as they were written. */
function hasPods({ kind }: Fields): boolean {
  return String(kind) in ALWAYS;
}

function pruned(value: unknown, field: string): unknown {
  if (QUANTITIES.has(field))
    return isFields(value) ? Object.fromEntries(Object.entries(value).map(([key, amount]) => [key, quantity(amount)])) : quantity(value);
  if (Array.isArray(value))
    return value.map((item: unknown) => (isFields(item) && CONTAINERS.has(field) ? { resources: {}, ...(pruned(item, "") as Fields) } : pruned(item, "")));
  if (!isFields(value) || DATA.has(field)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
      const kept = pruned(item, key);
      return isZero(kept, key) ? [] : [[key, kept]];
    }),
  );
}

function isZero(value: unknown, field: string): boolean {
  if (value === null || value === undefined) return true;
  if (value === "") return true;
  if (value === 0 || value === false) return !POINTERS.has(field);
  if (Array.isArray(value)) return value.length === 0 && field !== "containers";
  return isFields(value) && Object.keys(value).length === 0 && !STRUCTS.has(field);
}

const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: readonly [suffix: string, factor: number][] = [
  ["E", 1e18],
  ["P", 1e15],
  ["T", 1e12],
  ["G", 1e9],
  ["M", 1e6],
  ["k", 1e3],
  ["", 1],
  ["m", 1e-3],
];

/** The shortest form with the same kind of suffix: 1024Mi is 1Gi and 2000m is 2. */
function quantity(value: unknown): unknown {
  if (typeof value !== "string" && typeof value !== "number") return value;
  const [, digits, suffix = ""] = /^(\d+(?:\.\d+)?)(m|k|[KMGTPE]i?)?$/.exec(String(value)) ?? [];
  if (digits === undefined) return value;
  if (suffix.endsWith("i")) {
    let [amount, power] = [Number(digits), BINARY.indexOf(suffix)];
    if (!Number.isInteger(amount)) return value;
    while (amount > 0 && amount % 1024 === 0 && power < BINARY.length - 1) [amount, power] = [amount / 1024, power + 1];
    return `${amount}${BINARY[power]}`;
  }
  const milli = Math.round(Number(digits) * (DECIMAL.find(([name]) => name === suffix)?.[1] ?? 1) * 1000);
  if (milli === 0) return "0";
  const [name = "", factor = 1] = DECIMAL.find(([, unit]) => milli % Math.round(unit * 1000) === 0 && milli >= unit * 1000) ?? [];
  return `${milli / Math.round(factor * 1000)}${name}`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
