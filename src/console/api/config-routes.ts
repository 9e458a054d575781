import { SERVICE_ACCOUNTS } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { CLUSTER } from "../server/mesh-view.ts";
import { ISTIO_KINDS, gvkText, istioObjects, objectKey } from "./istio-kinds.ts";
import { trustDomain } from "./mtls.ts";
import { type ApiContext, ApiProblem, type Route, param, queryList } from "./router.ts";
import { type Check, validate } from "./validations.ts";

/** What Kiali tells of one object's checks. */
export interface ObjectValidation {
  name: string;
  namespace: string;
  cluster: string;
  objectGVK: { Group: string; Version: string; Kind: string };
  valid: boolean;
  checks: Check[];
  references: never[];
}

/** All objects of Istio's kinds and what is wrong with them. */
export interface ConfigAnswer {
  resources: Record<string, KubeObject[]>;
  validations: Record<string, Record<string, ObjectValidation>>;
  permissions: Record<string, { create: boolean; update: boolean; delete: boolean }>;
}

const READ_ONLY = { create: false, update: false, delete: false };

export const CONFIG_ROUTES: Route[] = [
  { pattern: "/istio/config", liveMs: 0, answer: ({ query }, context) => configOf(context, queryList(query, "namespaces")) },
  { pattern: "/namespaces/:namespace/istio", answer: (request, context) => configOf(context, [param(request, "namespace")]) },
  {
    pattern: "/istio/permissions",
    answer: ({ query }) =>
      Object.fromEntries(
        queryList(query, "namespaces").map((namespace) => [namespace, Object.fromEntries(ISTIO_KINDS.map((kind) => [gvkText(kind), READ_ONLY]))]),
      ),
  },
  {
    pattern: "/istio/validations",
    async answer(_, context) {
      const { objects, checks } = await validated(context);
      const byNamespace: Record<string, { errors: number; warnings: number; objectCount: number }> = {};
      for (const object of [...objects.values()].flat()) {
        const count = (byNamespace[object.metadata.namespace ?? ""] ??= { errors: 0, warnings: 0, objectCount: 0 });
        count.objectCount++;
        for (const { severity } of checks.get(objectKey(object)) ?? []) count[severity === "error" ? "errors" : "warnings"]++;
      }
      return Object.entries(byNamespace).map(([namespace, counts]) => ({ cluster: CLUSTER, namespace, ...counts }));
    },
  },
  {
    // How far the last change of an object has come: to which proxies, and after how many ms.
    pattern: "/namespaces/:namespace/istio/:group/:version/:kind/:name/applied",
    answer: async (request, { istiod }) =>
      (await istiod.changes(`${param(request, "kind")}/${param(request, "namespace")}/${param(request, "name")}`))[0] ?? null,
  },
  {
    pattern: "/namespaces/:namespace/istio/:group/:version/:kind/:name",
    liveMs: 0,
    async answer(request, context) {
      const [namespace, kind, name] = [param(request, "namespace"), param(request, "kind"), param(request, "name")];
      const { objects, checks } = await validated(context);
      const object = objects.get(kind)?.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
      if (!object) throw new ApiProblem(404, `${kind} "${name}" not found in namespace ${namespace}`);
      return {
        namespace: { name: namespace, cluster: CLUSTER },
        gvk: { Group: param(request, "group"), Version: param(request, "version"), Kind: kind },
        resource: object,
        permissions: READ_ONLY,
        validation: validationOf(object, checks.get(objectKey(object)) ?? []),
        references: { objectReferences: [], serviceReferences: [], workloadReferences: selectedBy(object, context) },
        help: [],
      };
    },
  },
  {
    pattern: "/namespaces/:namespace/istio/:group/:version/:kind",
    async answer(request, context) {
      const [namespace, kind] = [param(request, "namespace"), param(request, "kind")];
      const known = ISTIO_KINDS.find((k) => k.kind === kind);
      if (!known) throw new ApiProblem(404, `no such kind: ${kind}`);
      return {
        resources: { [gvkText(known)]: ((await istioObjects(context.mesh)).get(kind) ?? []).filter(({ metadata }) => metadata.namespace === namespace) },
        permissions: READ_ONLY,
      };
    },
  },
];

/** Istio's objects and the checks of each, by key. */
export async function validated({ mesh }: ApiContext): Promise<{ objects: Map<string, KubeObject[]>; checks: Map<string, Check[]> }> {
  const [objects, serviceAccounts] = await Promise.all([istioObjects(mesh), mesh.objects(SERVICE_ACCOUNTS)]);
  return { objects, checks: validate({ objects, services: mesh.services(), pods: mesh.pods(), serviceAccounts, trustDomain: trustDomain(mesh.meshConfig()) }) };
}

async function configOf(context: ApiContext, namespaces: string[]): Promise<ConfigAnswer> {
  const { objects, checks } = await validated(context);
  const answer: ConfigAnswer = { resources: {}, validations: {}, permissions: {} };
  for (const kind of ISTIO_KINDS) {
    const wanted = (objects.get(kind.kind) ?? []).filter(({ metadata }) => namespaces.length === 0 || namespaces.includes(metadata.namespace ?? ""));
    const key = gvkText(kind);
    answer.resources[key] = wanted;
    answer.permissions[key] = READ_ONLY;
    answer.validations[key] = Object.fromEntries(
      wanted.map((object) => [`${object.metadata.name}.${object.metadata.namespace}`, validationOf(object, checks.get(objectKey(object)) ?? [])]),
    );
  }
  return answer;
}

function validationOf(object: KubeObject, checks: Check[]): ObjectValidation {
  const [group = "", version = ""] = object.apiVersion.split("/");
  return {
    name: object.metadata.name,
    namespace: object.metadata.namespace ?? "",
    cluster: CLUSTER,
    objectGVK: { Group: group, Version: version, Kind: object.kind },
    valid: !checks.some(({ severity }) => severity === "error"),
    checks,
    references: [],
  };
}

/** The workloads that an object's selector chooses. */
function selectedBy(object: KubeObject, { mesh }: ApiContext): { name: string; namespace: string }[] {
  const spec = (object.spec ?? {}) as { selector?: { matchLabels?: Record<string, string> } & Record<string, unknown> };
  const labels = object.kind === "Gateway" ? (spec.selector as Record<string, string> | undefined) : spec.selector?.matchLabels;
  if (!labels || Object.keys(labels).length === 0) return [];
  const found = new Map<string, { name: string; namespace: string }>();
  for (const pod of mesh.pods(object.kind === "Gateway" ? undefined : object.metadata.namespace)) {
    if (!Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value)) continue;
    const workload = mesh.workloadByPod(pod.metadata.namespace ?? "", pod.metadata.name);
    if (workload) found.set(`${workload.namespace}/${workload.workload}`, { name: workload.workload, namespace: workload.namespace });
  }
  return [...found.values()];
}
