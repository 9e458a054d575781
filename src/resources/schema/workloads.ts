import { any, bool, freeObject, int32, int64, intOrString, kind, list, mapList, obj, ref, str, time, type Components, zeroTime } from "./dsl.ts";
import type { Schema } from "../types.ts";

const apps = (name: string, fields: Record<string, Schema>) => kind("apps", "v1", name, fields);
const template = ref("core.v1.PodTemplateSpec");
const selector = ref("meta.v1.LabelSelector");
const condition = (updates = false) =>
  obj({ lastTransitionTime: zeroTime, ...(updates ? { lastUpdateTime: zeroTime } : {}), message: str, reason: str, "status!": str, "type!": str });
const conditions = (updates = false) => mapList(condition(updates), ["type"]);

/** apps, batch, autoscaling, policy. */
export const workloadComponents: Components = {
  "apps.v1.Deployment": () => apps("Deployment", { spec: ref("apps.v1.DeploymentSpec"), status: ref("apps.v1.DeploymentStatus") }),
  "apps.v1.DeploymentSpec": () =>
    obj({
      minReadySeconds: int32,
      paused: bool,
      progressDeadlineSeconds: int32,
      replicas: int32,
      revisionHistoryLimit: int32,
      "selector!": selector,
      strategy: obj({ rollingUpdate: obj({ maxSurge: intOrString, maxUnavailable: intOrString }), type: str }, { "x-kubernetes-patch-strategy": "retainKeys" }),
      "template!": template,
    }),
  "apps.v1.DeploymentStatus": () =>
    obj({
      availableReplicas: int32,
      collisionCount: int32,
      conditions: conditions(true),
      observedGeneration: int64,
      readyReplicas: int32,
      replicas: int32,
      terminatingReplicas: int32,
      unavailableReplicas: int32,
      updatedReplicas: int32,
    }),
  "apps.v1.ReplicaSet": () => apps("ReplicaSet", { spec: ref("apps.v1.ReplicaSetSpec"), status: ref("apps.v1.ReplicaSetStatus") }),
  "apps.v1.ReplicaSetSpec": () => obj({ minReadySeconds: int32, replicas: int32, "selector!": selector, template }),
  "apps.v1.ReplicaSetStatus": () =>
    obj({
      availableReplicas: int32,
      conditions: conditions(),
      fullyLabeledReplicas: int32,
      observedGeneration: int64,
      readyReplicas: int32,
      "replicas!": int32,
      terminatingReplicas: int32,
    }),
  "apps.v1.StatefulSet": () => apps("StatefulSet", { spec: ref("apps.v1.StatefulSetSpec"), status: ref("apps.v1.StatefulSetStatus") }),
  "apps.v1.StatefulSetSpec": () =>
    obj({
      minReadySeconds: int32,
      ordinals: obj({ start: int32 }),
      persistentVolumeClaimRetentionPolicy: obj({ whenDeleted: str, whenScaled: str }),
      podManagementPolicy: str,
      replicas: int32,
      revisionHistoryLimit: int32,
      "selector!": selector,
      serviceName: str,
      "template!": template,
      updateStrategy: obj({ rollingUpdate: obj({ maxUnavailable: intOrString, partition: int32 }), type: str }),
      volumeClaimTemplates: list(ref("core.v1.PersistentVolumeClaim")),
    }),
  "apps.v1.StatefulSetStatus": () =>
    obj({
      availableReplicas: int32,
      collisionCount: int32,
      conditions: conditions(),
      currentReplicas: int32,
      currentRevision: str,
      observedGeneration: int64,
      readyReplicas: int32,
      "replicas!": int32,
      updateRevision: str,
      updatedReplicas: int32,
    }),
  "apps.v1.DaemonSet": () => apps("DaemonSet", { spec: ref("apps.v1.DaemonSetSpec"), status: ref("apps.v1.DaemonSetStatus") }),
  "apps.v1.DaemonSetSpec": () =>
    obj({
      minReadySeconds: int32,
      revisionHistoryLimit: int32,
      "selector!": selector,
      "template!": template,
      updateStrategy: obj({ rollingUpdate: obj({ maxSurge: intOrString, maxUnavailable: intOrString }), type: str }),
    }),
  "apps.v1.DaemonSetStatus": () =>
    obj({
      collisionCount: int32,
      conditions: conditions(),
      "currentNumberScheduled!": int32,
      "desiredNumberScheduled!": int32,
      numberAvailable: int32,
      "numberMisscheduled!": int32,
      "numberReady!": int32,
      numberUnavailable: int32,
      observedGeneration: int64,
      updatedNumberScheduled: int32,
    }),
  "apps.v1.ControllerRevision": () => apps("ControllerRevision", { data: any, "revision!": int64 }),
  "batch.v1.Job": () => kind("batch", "v1", "Job", { spec: ref("batch.v1.JobSpec"), status: ref("batch.v1.JobStatus") }),
  "batch.v1.JobSpec": () =>
    obj({
      activeDeadlineSeconds: int64,
      backoffLimit: int32,
      backoffLimitPerIndex: int32,
      completionMode: str,
      completions: int32,
      managedBy: str,
      manualSelector: bool,
      maxFailedIndexes: int32,
      parallelism: int32,
      podFailurePolicy: obj({
        "rules!": list(
          obj({
            "action!": str,
            onExitCodes: obj({ containerName: str, "operator!": str, "values!": list(int32) }),
            onPodConditions: list(obj({ "status!": str, "type!": str })),
          }),
        ),
      }),
      podReplacementPolicy: str,
      selector,
      successPolicy: obj({ "rules!": list(obj({ succeededCount: int32, succeededIndexes: str })) }),
      suspend: bool,
      "template!": template,
      ttlSecondsAfterFinished: int32,
    }),
  "batch.v1.JobStatus": () =>
    obj({
      active: int32,
      completedIndexes: str,
      completionTime: time,
      conditions: list(obj({ lastProbeTime: zeroTime, lastTransitionTime: zeroTime, message: str, reason: str, "status!": str, "type!": str })),
      failed: int32,
      failedIndexes: str,
      ready: int32,
      startTime: time,
      succeeded: int32,
      terminating: int32,
      uncountedTerminatedPods: obj({ failed: list(str), succeeded: list(str) }),
    }),
  "batch.v1.CronJob": () => kind("batch", "v1", "CronJob", { spec: ref("batch.v1.CronJobSpec"), status: ref("batch.v1.CronJobStatus") }),
  "batch.v1.CronJobSpec": () =>
    obj({
      concurrencyPolicy: str,
      failedJobsHistoryLimit: int32,
      "jobTemplate!": ref("batch.v1.JobTemplateSpec"),
      "schedule!": str,
      startingDeadlineSeconds: int64,
      successfulJobsHistoryLimit: int32,
      suspend: bool,
      timeZone: str,
    }),
  "batch.v1.JobTemplateSpec": () => obj({ metadata: ref("meta.v1.ObjectMeta"), spec: ref("batch.v1.JobSpec") }),
  "batch.v1.CronJobStatus": () => obj({ active: list(ref("core.v1.ObjectReference")), lastScheduleTime: time, lastSuccessfulTime: time }),
  "autoscaling.v1.HorizontalPodAutoscaler": () =>
    kind("autoscaling", "v1", "HorizontalPodAutoscaler", {
      spec: obj({
        "maxReplicas!": int32,
        minReplicas: int32,
        "scaleTargetRef!": obj({ apiVersion: str, "kind!": str, "name!": str }),
        targetCPUUtilizationPercentage: int32,
      }),
      status: obj({
        currentCPUUtilizationPercentage: int32,
        "currentReplicas!": int32,
        "desiredReplicas!": int32,
        lastScaleTime: time,
        observedGeneration: int64,
      }),
    }),
  "autoscaling.v2.HorizontalPodAutoscaler": () =>
    kind("autoscaling", "v2", "HorizontalPodAutoscaler", {
      spec: ref("autoscaling.v2.HorizontalPodAutoscalerSpec"),
      status: obj({
        conditions: conditions(),
        currentMetrics: list(freeObject),
        currentReplicas: int32,
        "desiredReplicas!": int32,
        lastScaleTime: time,
        observedGeneration: int64,
      }),
    }),
  "autoscaling.v2.HorizontalPodAutoscalerSpec": () =>
    obj({
      behavior: obj({ scaleDown: ref("autoscaling.v2.HPAScalingRules"), scaleUp: ref("autoscaling.v2.HPAScalingRules") }),
      "maxReplicas!": int32,
      metrics: list(ref("autoscaling.v2.MetricSpec")),
      minReplicas: int32,
      "scaleTargetRef!": obj({ apiVersion: str, "kind!": str, "name!": str }),
    }),
  "autoscaling.v2.HPAScalingRules": () =>
    obj({
      policies: list(obj({ "periodSeconds!": int32, "type!": str, "value!": int32 })),
      selectPolicy: str,
      stabilizationWindowSeconds: int32,
      tolerance: intOrString,
    }),
  "autoscaling.v2.MetricSpec": () => {
    const target = obj({ averageUtilization: int32, averageValue: intOrString, "type!": str, value: intOrString });
    const metric = obj({ "name!": str, selector });
    return obj({
      containerResource: obj({ "container!": str, "name!": str, "target!": target }),
      external: obj({ "metric!": metric, "target!": target }),
      object: obj({ "describedObject!": obj({ apiVersion: str, "kind!": str, "name!": str }), "metric!": metric, "target!": target }),
      pods: obj({ "metric!": metric, "target!": target }),
      resource: obj({ "name!": str, "target!": target }),
      "type!": str,
    });
  },
  "policy.v1.PodDisruptionBudget": () =>
    kind("policy", "v1", "PodDisruptionBudget", {
      spec: obj({ maxUnavailable: intOrString, minAvailable: intOrString, selector, unhealthyPodEvictionPolicy: str }),
      status: obj({
        conditions: mapList(ref("meta.v1.Condition"), ["type"]),
        "currentHealthy!": int32,
        "desiredHealthy!": int32,
        disruptedPods: { type: "object", additionalProperties: time },
        "disruptionsAllowed!": int32,
        "expectedPods!": int32,
        observedGeneration: int64,
      }),
    }),
  "policy.v1.Eviction": () => kind("policy", "v1", "Eviction", { deleteOptions: ref("meta.v1.DeleteOptions") }),
};
