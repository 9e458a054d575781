import { any, atomicObj, bool, int64, list, map, mapList, obj, ref, setList, str, time, type Components, int32, zeroTime } from "./dsl.ts";

export const metaComponents: Components = {
  "meta.v1.ObjectMeta": () =>
    obj({
      annotations: map(str),
      creationTimestamp: time,
      deletionGracePeriodSeconds: int64,
      deletionTimestamp: time,
      finalizers: setList(str),
      generateName: str,
      generation: int64,
      labels: map(str),
      managedFields: list(ref("meta.v1.ManagedFieldsEntry")),
      name: str,
      namespace: str,
      ownerReferences: mapList(ref("meta.v1.OwnerReference"), ["uid"]),
      resourceVersion: str,
      selfLink: str,
      uid: str,
    }),
  "meta.v1.ListMeta": () => obj({ continue: str, remainingItemCount: int64, resourceVersion: str, selfLink: str }),
  "meta.v1.ManagedFieldsEntry": () => obj({ apiVersion: str, fieldsType: str, fieldsV1: any, manager: str, operation: str, subresource: str, time }),
  "meta.v1.OwnerReference": () => atomicObj({ "apiVersion!": str, blockOwnerDeletion: bool, controller: bool, "kind!": str, "name!": str, "uid!": str }),
  "meta.v1.LabelSelector": () => atomicObj({ matchExpressions: list(ref("meta.v1.LabelSelectorRequirement")), matchLabels: map(str) }),
  "meta.v1.LabelSelectorRequirement": () => obj({ "key!": str, "operator!": str, values: list(str) }),
  "meta.v1.Condition": () => obj({ "lastTransitionTime!": zeroTime, "message!": str, observedGeneration: int64, "reason!": str, "status!": str, "type!": str }),
  "meta.v1.DeleteOptions": () =>
    obj({
      apiVersion: str,
      dryRun: list(str),
      gracePeriodSeconds: int64,
      ignoreStoreReadErrorWithClusterBreakingPotential: bool,
      kind: str,
      orphanDependents: bool,
      preconditions: obj({ resourceVersion: str, uid: str }),
      propagationPolicy: str,
    }),
  "core.v1.ObjectReference": () => atomicObj({ apiVersion: str, fieldPath: str, kind: str, name: str, namespace: str, resourceVersion: str, uid: str }),
  "core.v1.LocalObjectReference": () => atomicObj({ name: str }),
  "core.v1.TypedLocalObjectReference": () => atomicObj({ apiGroup: str, "kind!": str, "name!": str }),
  "core.v1.TopologySelectorTerm": () => atomicObj({ matchLabelExpressions: list(obj({ "key!": str, "values!": list(str) })) }),
  "core.v1.NodeSelectorTerm": () =>
    atomicObj({ matchExpressions: list(ref("core.v1.NodeSelectorRequirement")), matchFields: list(ref("core.v1.NodeSelectorRequirement")) }),
  "core.v1.NodeSelectorRequirement": () => obj({ "key!": str, "operator!": str, values: list(str) }),
  "core.v1.NodeSelector": () => atomicObj({ "nodeSelectorTerms!": list(ref("core.v1.NodeSelectorTerm")) }),
  "autoscaling.v1.Scale": () =>
    obj({
      apiVersion: str,
      kind: str,
      metadata: ref("meta.v1.ObjectMeta"),
      spec: obj({ replicas: int32 }),
      status: obj({ "replicas!": int32, selector: str }),
    }),
};
