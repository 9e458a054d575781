import {
  atomicMap,
  atomicObj,
  bool,
  bytes,
  freeObject,
  int32,
  int64,
  intOrString,
  kind,
  list,
  map,
  mapList,
  microTime,
  obj,
  quantity,
  ref,
  str,
  time,
  type Components,
  zeroTime,
} from "./dsl.ts";

const core = (name: string, fields: Parameters<typeof kind>[3]) => kind("", "v1", name, fields);
const objectReference = ref("core.v1.ObjectReference");
const condition = (...times: string[]) =>
  obj({ ...Object.fromEntries(times.concat("lastTransitionTime").map((name) => [name, zeroTime])), message: str, reason: str, "status!": str, "type!": str });

/** Services, configuration, nodes, storage claims and the rest of the core group. */
export const coreComponents: Components = {
  "core.v1.Service": () => core("Service", { spec: ref("core.v1.ServiceSpec"), status: ref("core.v1.ServiceStatus") }),
  "core.v1.ServiceSpec": () =>
    obj({
      allocateLoadBalancerNodePorts: bool,
      clusterIP: str,
      clusterIPs: list(str),
      externalIPs: list(str),
      externalName: str,
      externalTrafficPolicy: str,
      healthCheckNodePort: int32,
      internalTrafficPolicy: str,
      ipFamilies: list(str),
      ipFamilyPolicy: str,
      loadBalancerClass: str,
      loadBalancerIP: str,
      loadBalancerSourceRanges: list(str),
      ports: mapList(ref("core.v1.ServicePort"), ["port", "protocol"]),
      publishNotReadyAddresses: bool,
      selector: atomicMap(str),
      sessionAffinity: str,
      sessionAffinityConfig: obj({ clientIP: obj({ timeoutSeconds: int32 }) }),
      trafficDistribution: str,
      type: str,
    }),
  "core.v1.ServicePort": () => obj({ appProtocol: str, name: str, nodePort: int32, "port!": int32, protocol: str, targetPort: intOrString }),
  "core.v1.ServiceStatus": () => obj({ conditions: mapList(ref("meta.v1.Condition"), ["type"]), loadBalancer: ref("core.v1.LoadBalancerStatus") }),
  "core.v1.LoadBalancerStatus": () =>
    obj({ ingress: list(obj({ hostname: str, ip: str, ipMode: str, ports: list(obj({ error: str, "port!": int32, "protocol!": str })) })) }),
  "core.v1.Endpoints": () => core("Endpoints", { subsets: list(ref("core.v1.EndpointSubset")) }),
  "core.v1.EndpointSubset": () =>
    obj({
      addresses: list(ref("core.v1.EndpointAddress")),
      notReadyAddresses: list(ref("core.v1.EndpointAddress")),
      ports: list(atomicObj({ appProtocol: str, name: str, "port!": int32, protocol: str })),
    }),
  "core.v1.EndpointAddress": () => atomicObj({ hostname: str, "ip!": str, nodeName: str, targetRef: objectReference }),
  "core.v1.ConfigMap": () => core("ConfigMap", { binaryData: map(bytes), data: map(str), immutable: bool }),
  "core.v1.Secret": () => core("Secret", { data: map(bytes), immutable: bool, stringData: map(str), type: str }),
  "core.v1.ServiceAccount": () =>
    core("ServiceAccount", {
      automountServiceAccountToken: bool,
      imagePullSecrets: list(ref("core.v1.LocalObjectReference")),
      secrets: mapList(objectReference, ["name"]),
    }),
  "core.v1.Namespace": () =>
    core("Namespace", { spec: obj({ finalizers: list(str) }), status: obj({ conditions: mapList(condition(), ["type"]), phase: str }) }),
  "core.v1.Node": () => core("Node", { spec: ref("core.v1.NodeSpec"), status: ref("core.v1.NodeStatus") }),
  "core.v1.NodeSpec": () =>
    obj({
      configSource: freeObject,
      externalID: str,
      podCIDR: str,
      podCIDRs: { ...list(str), "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge" },
      providerID: str,
      taints: list(obj({ "effect!": str, "key!": str, timeAdded: time, value: str })),
      unschedulable: bool,
    }),
  "core.v1.NodeStatus": () =>
    obj({
      addresses: mapList(obj({ "address!": str, "type!": str }), ["type"]),
      allocatable: map(quantity),
      capacity: map(quantity),
      conditions: mapList(condition("lastHeartbeatTime"), ["type"]),
      config: freeObject,
      daemonEndpoints: obj({ kubeletEndpoint: obj({ "Port!": int32 }) }),
      declaredFeatures: list(str),
      features: freeObject,
      images: list(obj({ names: list(str), sizeBytes: int64 })),
      nodeInfo: freeObject,
      phase: str,
      runtimeHandlers: list(freeObject),
      volumesAttached: list(obj({ "devicePath!": str, "name!": str })),
      volumesInUse: list(str),
    }),
  "core.v1.Event": () =>
    core("Event", {
      action: str,
      count: int32,
      eventTime: microTime,
      firstTimestamp: zeroTime,
      "involvedObject!": objectReference,
      lastTimestamp: zeroTime,
      message: str,
      reason: str,
      related: objectReference,
      reportingComponent: str,
      reportingInstance: str,
      series: obj({ count: int32, lastObservedTime: microTime }),
      source: obj({ component: str, host: str }),
      type: str,
    }),
  "events.v1.Event": () =>
    kind("events.k8s.io", "v1", "Event", {
      action: str,
      deprecatedCount: int32,
      deprecatedFirstTimestamp: zeroTime,
      deprecatedLastTimestamp: zeroTime,
      deprecatedSource: obj({ component: str, host: str }),
      "eventTime!": microTime,
      note: str,
      reason: str,
      regarding: objectReference,
      related: objectReference,
      reportingController: str,
      reportingInstance: str,
      series: obj({ "count!": int32, "lastObservedTime!": microTime }),
      type: str,
    }),
  "core.v1.PersistentVolumeClaim": () =>
    core("PersistentVolumeClaim", {
      spec: ref("core.v1.PersistentVolumeClaimSpec"),
      status: obj({
        accessModes: list(str),
        allocatedResourceStatuses: map(str),
        allocatedResources: map(quantity),
        capacity: map(quantity),
        conditions: mapList(condition("lastProbeTime"), ["type"]),
        currentVolumeAttributesClassName: str,
        modifyVolumeStatus: obj({ "status!": str, targetVolumeAttributesClassName: str }),
        phase: str,
      }),
    }),
  "core.v1.PersistentVolumeClaimSpec": () =>
    obj({
      accessModes: list(str),
      dataSource: ref("core.v1.TypedLocalObjectReference"),
      dataSourceRef: obj({ apiGroup: str, "kind!": str, "name!": str, namespace: str }),
      resources: obj({ limits: map(quantity), requests: map(quantity) }),
      selector: ref("meta.v1.LabelSelector"),
      storageClassName: str,
      volumeAttributesClassName: str,
      volumeMode: str,
      volumeName: str,
    }),
  // The source of a volume is one of many drivers: accepted as it is.
  "core.v1.PersistentVolumeSpec": () =>
    obj(
      {
        accessModes: list(str),
        capacity: map(quantity),
        claimRef: objectReference,
        hostPath: obj({ "path!": str, type: str }),
        local: obj({ fsType: str, "path!": str }),
        mountOptions: list(str),
        nodeAffinity: obj({ required: ref("core.v1.NodeSelector") }),
        persistentVolumeReclaimPolicy: str,
        storageClassName: str,
        volumeAttributesClassName: str,
        volumeMode: str,
      },
      { "x-kubernetes-preserve-unknown-fields": true },
    ),
  "core.v1.PersistentVolume": () =>
    core("PersistentVolume", {
      spec: ref("core.v1.PersistentVolumeSpec"),
      status: obj({ lastPhaseTransitionTime: time, message: str, phase: str, reason: str }),
    }),
  "core.v1.ReplicationController": () =>
    core("ReplicationController", {
      spec: obj({ minReadySeconds: int32, replicas: int32, selector: atomicMap(str), template: ref("core.v1.PodTemplateSpec") }),
      status: obj({
        availableReplicas: int32,
        conditions: mapList(condition(), ["type"]),
        fullyLabeledReplicas: int32,
        observedGeneration: int64,
        readyReplicas: int32,
        "replicas!": int32,
      }),
    }),
  "core.v1.ResourceQuota": () =>
    core("ResourceQuota", {
      spec: obj({
        hard: map(quantity),
        scopeSelector: atomicObj({ matchExpressions: list(obj({ "operator!": str, "scopeName!": str, values: list(str) })) }),
        scopes: list(str),
      }),
      status: obj({ hard: map(quantity), used: map(quantity) }),
    }),
  "core.v1.LimitRange": () =>
    core("LimitRange", {
      spec: obj({
        "limits!": list(
          obj({
            default: map(quantity),
            defaultRequest: map(quantity),
            max: map(quantity),
            maxLimitRequestRatio: map(quantity),
            min: map(quantity),
            "type!": str,
          }),
        ),
      }),
    }),
  "core.v1.Binding": () => core("Binding", { "target!": objectReference }),
};
