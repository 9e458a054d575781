/** Kinds of storage drivers, devices, address ranges and flow control: stored for the programs that bring them. */
import { any, bool, type Components, int32, int64, kind, list, map, mapList, obj, quantity, ref, setList, str, time, zeroTime } from "./dsl.ts";

const conditions = () => mapList(ref("meta.v1.Condition"), ["type"]);
const nodeSelector = ref("core.v1.NodeSelector");
const storage = (name: string, fields: Parameters<typeof obj>[0]) => kind("storage.k8s.io", "v1", name, fields);
const resource = (name: string, fields: Parameters<typeof obj>[0]) => kind("resource.k8s.io", "v1", name, fields);
const volumeError = () => obj({ errorCode: int32, message: str, time: zeroTime });
const counters = () => map(obj({ "value!": quantity }));
const selectors = () => list(obj({ cel: obj({ "expression!": str }) }));
const opaque = () => obj({ "driver!": str, "parameters!": any });
const tolerations = () => list(obj({ effect: str, key: str, operator: str, tolerationSeconds: int64, value: str }));
const oneRequest = {
  "deviceClassName!": str,
  allocationMode: str,
  capacity: obj({ requests: map(quantity) }),
  count: int64,
  selectors: selectors(),
  tolerations: tolerations(),
};
const flowCondition = () => obj({ lastTransitionTime: zeroTime, message: str, reason: str, status: str, type: str });

export const storedComponents: Components = {
  "core.v1.ComponentStatus": () =>
    kind("", "v1", "ComponentStatus", { conditions: mapList(obj({ error: str, message: str, "status!": str, "type!": str }), ["type"]) }),
  "storage.v1.CSIDriver": () =>
    storage("CSIDriver", {
      "spec!": obj({
        attachRequired: bool,
        fsGroupPolicy: str,
        nodeAllocatableUpdatePeriodSeconds: int64,
        podInfoOnMount: bool,
        requiresRepublish: bool,
        seLinuxMount: bool,
        storageCapacity: bool,
        tokenRequests: list(obj({ "audience!": str, expirationSeconds: int64 })),
        volumeLifecycleModes: setList(str),
      }),
    }),
  "storage.v1.CSINode": () =>
    storage("CSINode", {
      "spec!": obj({ "drivers!": mapList(obj({ allocatable: obj({ count: int32 }), "name!": str, "nodeID!": str, topologyKeys: list(str) }), ["name"]) }),
    }),
  "storage.v1.CSIStorageCapacity": () =>
    storage("CSIStorageCapacity", { capacity: quantity, maximumVolumeSize: quantity, nodeTopology: ref("meta.v1.LabelSelector"), "storageClassName!": str }),
  "storage.v1.VolumeAttachment": () =>
    storage("VolumeAttachment", {
      "spec!": obj({
        "attacher!": str,
        "nodeName!": str,
        "source!": obj({ inlineVolumeSpec: ref("core.v1.PersistentVolumeSpec"), persistentVolumeName: str }),
      }),
      status: obj({ attachError: volumeError(), "attached!": bool, attachmentMetadata: map(str), detachError: volumeError() }),
    }),
  "storage.v1.VolumeAttributesClass": () => storage("VolumeAttributesClass", { "driverName!": str, parameters: map(str) }),

  "networking.v1.IPAddress": () =>
    kind("networking.k8s.io", "v1", "IPAddress", { spec: obj({ "parentRef!": obj({ group: str, "name!": str, namespace: str, "resource!": str }) }) }),
  "networking.v1.ServiceCIDR": () =>
    kind("networking.k8s.io", "v1", "ServiceCIDR", { spec: obj({ cidrs: list(str) }), status: obj({ conditions: conditions() }) }),

  "flowcontrol.v1.FlowSchema": () =>
    kind("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", {
      spec: obj({
        distinguisherMethod: obj({ "type!": str }),
        matchingPrecedence: int32,
        "priorityLevelConfiguration!": obj({ "name!": str }),
        rules: list(
          obj({
            nonResourceRules: list(obj({ "nonResourceURLs!": setList(str), "verbs!": setList(str) })),
            resourceRules: list(
              obj({ "apiGroups!": setList(str), clusterScope: bool, namespaces: setList(str), "resources!": setList(str), "verbs!": setList(str) }),
            ),
            "subjects!": list(
              obj({ group: obj({ "name!": str }), "kind!": str, serviceAccount: obj({ "name!": str, "namespace!": str }), user: obj({ "name!": str }) }),
            ),
          }),
        ),
      }),
      status: obj({ conditions: mapList(flowCondition(), ["type"]) }),
    }),
  "flowcontrol.v1.PriorityLevelConfiguration": () =>
    kind("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", {
      spec: obj({
        exempt: obj({ lendablePercent: int32, nominalConcurrencyShares: int32 }),
        limited: obj({
          borrowingLimitPercent: int32,
          lendablePercent: int32,
          limitResponse: obj({ queuing: obj({ handSize: int32, queueLengthLimit: int32, queues: int32 }), "type!": str }),
          nominalConcurrencyShares: int32,
        }),
        "type!": str,
      }),
      status: obj({ conditions: mapList(flowCondition(), ["type"]) }),
    }),

  "resource.v1.DeviceClass": () =>
    resource("DeviceClass", { "spec!": obj({ config: list(obj({ opaque: opaque() })), extendedResourceName: str, selectors: selectors() }) }),
  "resource.v1.ResourceClaim": () =>
    resource("ResourceClaim", {
      "spec!": ref("resource.v1.ResourceClaimSpec"),
      status: obj({
        allocation: obj({
          allocationTimestamp: time,
          devices: obj({
            config: list(obj({ opaque: opaque(), requests: list(str), "source!": str })),
            results: list(
              obj({
                adminAccess: bool,
                bindingConditions: list(str),
                bindingFailureConditions: list(str),
                consumedCapacity: map(quantity),
                "device!": str,
                "driver!": str,
                "pool!": str,
                "request!": str,
                shareID: str,
                tolerations: tolerations(),
              }),
            ),
          }),
          nodeSelector,
        }),
        devices: mapList(
          obj({
            conditions: conditions(),
            data: any,
            "device!": str,
            "driver!": str,
            networkData: obj({ hardwareAddress: str, interfaceName: str, ips: list(str) }),
            "pool!": str,
            shareID: str,
          }),
          ["driver", "device", "pool", "shareID"],
        ),
        reservedFor: mapList(obj({ apiGroup: str, "name!": str, "resource!": str, "uid!": str }), ["uid"]),
      }),
    }),
  "resource.v1.ResourceClaimSpec": () =>
    obj({
      devices: obj({
        config: list(obj({ opaque: opaque(), requests: list(str) })),
        constraints: list(obj({ distinctAttribute: str, matchAttribute: str, requests: list(str) })),
        requests: list(obj({ exactly: obj({ ...oneRequest, adminAccess: bool }), firstAvailable: list(obj({ "name!": str, ...oneRequest })), "name!": str })),
      }),
    }),
  "resource.v1.ResourceClaimTemplate": () =>
    resource("ResourceClaimTemplate", { "spec!": obj({ metadata: ref("meta.v1.ObjectMeta"), "spec!": ref("resource.v1.ResourceClaimSpec") }) }),
  "resource.v1.ResourceSlice": () =>
    resource("ResourceSlice", {
      "spec!": obj({
        allNodes: bool,
        devices: list(
          obj({
            allNodes: bool,
            allowMultipleAllocations: bool,
            attributes: map(obj({ bool, int: int64, string: str, version: str })),
            bindingConditions: list(str),
            bindingFailureConditions: list(str),
            bindsToNode: bool,
            capacity: map(
              obj({
                requestPolicy: obj({ default: quantity, validRange: obj({ max: quantity, "min!": quantity, step: quantity }), validValues: list(quantity) }),
                "value!": quantity,
              }),
            ),
            consumesCounters: list(obj({ "counterSet!": str, "counters!": counters() })),
            "name!": str,
            nodeName: str,
            nodeSelector,
            taints: list(obj({ "effect!": str, "key!": str, timeAdded: time, value: str })),
          }),
        ),
        "driver!": str,
        nodeName: str,
        nodeSelector,
        perDeviceNodeSelection: bool,
        "pool!": obj({ "generation!": int64, "name!": str, "resourceSliceCount!": int64 }),
        sharedCounters: list(obj({ "counters!": counters(), "name!": str })),
      }),
    }),
};
