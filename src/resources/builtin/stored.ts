import * as stored from "../columns/stored.ts";
import type { ResourceDefinition } from "../types.ts";
import { define } from "./define.ts";

/** Kinds that programs of others bring or read: nothing in the cluster itself acts on them. */
const STATUS = ["status"];

export function storageDrivers(): { before: ResourceDefinition[]; after: ResourceDefinition[] } {
  const storage = (plural: string, kind: string, options: Parameters<typeof define>[3]) =>
    define("storage.k8s.io", plural, kind, { namespaced: false, ...options });
  return {
    before: [
      storage("csidrivers", "CSIDriver", { columns: stored.csiDriverColumns }),
      storage("csinodes", "CSINode", { columns: stored.csiNodeColumns }),
      storage("csistoragecapacities", "CSIStorageCapacity", {
        namespaced: true,
        listKind: "CSIStorageCapacityList",
        columns: stored.csiStorageCapacityColumns,
      }),
    ],
    after: [
      storage("volumeattachments", "VolumeAttachment", { subresources: STATUS, columns: stored.volumeAttachmentColumns }),
      storage("volumeattributesclasses", "VolumeAttributesClass", { shortNames: ["vac"], columns: stored.volumeAttributesClassColumns }),
    ],
  };
}

export function ipAddresses(): ResourceDefinition {
  return define("networking.k8s.io", "ipaddresses", "IPAddress", { namespaced: false, shortNames: ["ip"], columns: stored.ipAddressColumns });
}

export function serviceCidrs(): ResourceDefinition {
  return define("networking.k8s.io", "servicecidrs", "ServiceCIDR", { namespaced: false, subresources: STATUS, columns: stored.serviceCidrColumns });
}

export function devicesAndFlows(): ResourceDefinition[] {
  const resource = (plural: string, kind: string, options: Parameters<typeof define>[3] = {}) => define("resource.k8s.io", plural, kind, options);
  const flow = (plural: string, kind: string, columns: ResourceDefinition["columns"]) =>
    define("flowcontrol.apiserver.k8s.io", plural, kind, { namespaced: false, subresources: STATUS, columns, hasGeneration: true });
  return [
    resource("deviceclasses", "DeviceClass", { namespaced: false, hasGeneration: true }),
    resource("resourceclaims", "ResourceClaim", { subresources: STATUS, columns: stored.resourceClaimColumns }),
    resource("resourceclaimtemplates", "ResourceClaimTemplate"),
    resource("resourceslices", "ResourceSlice", {
      namespaced: false,
      columns: stored.resourceSliceColumns,
      hasGeneration: true,
      selectableFields: {
        "spec.nodeName": (o) => (o.spec as { nodeName?: string } | undefined)?.nodeName ?? "",
        "spec.driver": (o) => (o.spec as { driver?: string } | undefined)?.driver ?? "",
      },
    }),
    flow("flowschemas", "FlowSchema", stored.flowSchemaColumns),
    flow("prioritylevelconfigurations", "PriorityLevelConfiguration", stored.priorityLevelColumns),
  ];
}
