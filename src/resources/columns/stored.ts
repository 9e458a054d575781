/** Columns of the kinds that are stored for programs of others: storage drivers, devices, address ranges, flow control. */
import type { Column, KubeObject } from "../types.ts";
import { ageColumn, column, nameColumn } from "./format.ts";

const specOf = <T>(object: KubeObject): Partial<T> => (object.spec ?? {}) as Partial<T>;

interface Driver {
  attachRequired: boolean;
  podInfoOnMount: boolean;
  storageCapacity: boolean;
  requiresRepublish: boolean;
  tokenRequests: { audience: string }[];
  volumeLifecycleModes: string[];
}

export const csiDriverColumns: Column[] = [
  nameColumn,
  column("AttachRequired", "boolean", "whether volumes are attached before they are mounted", (o) => specOf<Driver>(o).attachRequired ?? true),
  column("PodInfoOnMount", "boolean", "whether the driver is told of the pod", (o) => specOf<Driver>(o).podInfoOnMount ?? false),
  column("StorageCapacity", "boolean", "whether the scheduler looks at its capacity", (o) => specOf<Driver>(o).storageCapacity ?? false),
  column(
    "TokenRequests",
    "string",
    "audiences of tokens that it gets",
    (o) =>
      specOf<Driver>(o)
        .tokenRequests?.map(({ audience }) => audience)
        .join(",") ?? "<unset>",
  ),
  column("RequiresRepublish", "boolean", "whether volumes are published again and again", (o) => specOf<Driver>(o).requiresRepublish ?? false),
  column("Modes", "string", "kinds of volumes", (o) => specOf<Driver>(o).volumeLifecycleModes?.join(",") || "<none>"),
  ageColumn,
];

export const csiNodeColumns: Column[] = [
  nameColumn,
  column("Drivers", "integer", "number of drivers on the node", (o) => specOf<{ drivers: unknown[] }>(o).drivers?.length ?? 0),
  ageColumn,
];

export const csiStorageCapacityColumns: Column[] = [
  nameColumn,
  column("StorageClassName", "string", "of which class", (o) => String(o["storageClassName"] ?? "")),
  column("Capacity", "string", "what is free", (o) => String(o["capacity"] ?? "<unset>")),
];

interface Attachment {
  attacher: string;
  nodeName: string;
  source: { persistentVolumeName?: string };
}

export const volumeAttachmentColumns: Column[] = [
  nameColumn,
  { ...column("Attacher", "string", "the driver", (o) => specOf<Attachment>(o).attacher ?? ""), format: "name" },
  column("PV", "string", "the volume", (o) => specOf<Attachment>(o).source?.persistentVolumeName ?? ""),
  column("Node", "string", "the node", (o) => specOf<Attachment>(o).nodeName ?? ""),
  column("Attached", "boolean", "whether it is attached", (o) => (o.status as { attached?: boolean } | undefined)?.attached ?? false),
  ageColumn,
];

export const volumeAttributesClassColumns: Column[] = [
  nameColumn,
  column("DriverName", "string", "the driver", (o) => String(o["driverName"] ?? "")),
  ageColumn,
];

export const ipAddressColumns: Column[] = [
  nameColumn,
  column("ParentRef", "string", "whose it is", (o) => {
    const parent = specOf<{ parentRef: { group?: string; resource?: string; namespace?: string; name?: string } }>(o).parentRef;
    if (!parent) return "<none>";
    const { group, resource = "", namespace, name = "" } = parent;
    return [(group ? `${resource}.${group}` : resource).toLowerCase(), ...(namespace ? [namespace] : []), name].join("/");
  }),
];

export const serviceCidrColumns: Column[] = [
  nameColumn,
  column("CIDRs", "string", "ranges of service addresses", (o) => (specOf<{ cidrs: string[] }>(o).cidrs ?? []).join(",")),
  ageColumn,
];

interface Flow {
  priorityLevelConfiguration: { name?: string };
  matchingPrecedence: number;
  distinguisherMethod: { type?: string };
}

export const flowSchemaColumns: Column[] = [
  nameColumn,
  column("PriorityLevel", "string", "its priority level", (o) => specOf<Flow>(o).priorityLevelConfiguration?.name ?? ""),
  column("MatchingPrecedence", "string", "which of several that match is taken", (o) => specOf<Flow>(o).matchingPrecedence ?? 0),
  column("DistinguisherMethod", "string", "how flows are told apart", (o) => specOf<Flow>(o).distinguisherMethod?.type ?? "<none>"),
  ageColumn,
  column(
    "MissingPL",
    "string",
    "whether its priority level is missing",
    (o) => (o.status as { conditions?: { type?: string; status?: string }[] } | undefined)?.conditions?.find(({ type }) => type === "Dangling")?.status ?? "?",
  ),
];

interface Level {
  type: string;
  limited: { nominalConcurrencyShares?: number; limitResponse?: { queuing?: { queues?: number; handSize?: number; queueLengthLimit?: number } } };
}

const queuing = (o: KubeObject) => specOf<Level>(o).limited?.limitResponse?.queuing;

export const priorityLevelColumns: Column[] = [
  nameColumn,
  column("Type", "string", "Exempt or Limited", (o) => specOf<Level>(o).type ?? ""),
  column("NominalConcurrencyShares", "string", "its share", (o) => specOf<Level>(o).limited?.nominalConcurrencyShares ?? "<none>"),
  column("Queues", "string", "number of queues", (o) => queuing(o)?.queues ?? "<none>"),
  column("HandSize", "string", "queues a flow is dealt", (o) => queuing(o)?.handSize ?? "<none>"),
  column("QueueLengthLimit", "string", "requests a queue may hold", (o) => queuing(o)?.queueLengthLimit ?? "<none>"),
  ageColumn,
];

export const resourceClaimColumns: Column[] = [
  nameColumn,
  column("State", "string", "allocated, reserved or pending", (o) => {
    const { allocation, reservedFor = [] } = (o.status ?? {}) as { allocation?: unknown; reservedFor?: unknown[] };
    const states = [
      ...(o.metadata.deletionTimestamp ? ["deleted"] : []),
      ...(allocation ? ["allocated"] : o.metadata.deletionTimestamp ? [] : ["pending"]),
      ...(allocation && reservedFor.length > 0 ? ["reserved"] : []),
    ];
    return states.join(",");
  }),
  ageColumn,
];

interface Slice {
  nodeName: string;
  driver: string;
  pool: { name?: string };
}

export const resourceSliceColumns: Column[] = [
  nameColumn,
  column("Node", "string", "where the devices are", (o) => specOf<Slice>(o).nodeName ?? ""),
  column("Driver", "string", "whose they are", (o) => specOf<Slice>(o).driver ?? ""),
  column("Pool", "string", "which pool they are of", (o) => specOf<Slice>(o).pool?.name ?? ""),
  ageColumn,
];
