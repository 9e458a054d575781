import { fromJson, type DescMessage, type JsonValue, type Message, type Registry } from "@bufbuild/protobuf";
import { compileRegex } from "../../../base/regex/index.ts";
import { ClusterSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { TypedExtensionConfigSchema } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { FilterChainSchema, FilterSchema, ListenerFilterSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ListenerSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteSchema, VirtualHostSchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { HttpFilterSchema } from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { EnvoyFilter, EnvoyFilterSpec } from "../../../resources/index.ts";
import { appliesTo } from "../../policy/index.ts";
import { compareAge } from "../../registry/index.ts";
import type { ProxyNode } from "../types.ts";

export type PatchContext = "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY";
export type Operation = "MERGE" | "MERGE_AND_REPLACE_LIST" | "ADD" | "REMOVE" | "INSERT_BEFORE" | "INSERT_AFTER" | "INSERT_FIRST" | "REPLACE";

/** What of Envoy's configuration a patch may change, and the message that it is. The bootstrap is the agent's. */
const TARGETS = {
  LISTENER: ListenerSchema,
  FILTER_CHAIN: FilterChainSchema,
  NETWORK_FILTER: FilterSchema,
  HTTP_FILTER: HttpFilterSchema,
  LISTENER_FILTER: ListenerFilterSchema,
  ROUTE_CONFIGURATION: RouteConfigurationSchema,
  VIRTUAL_HOST: VirtualHostSchema,
  HTTP_ROUTE: RouteSchema,
  CLUSTER: ClusterSchema,
  EXTENSION_CONFIG: TypedExtensionConfigSchema,
} as const satisfies Record<string, DescMessage>;

export type ApplyTo = keyof typeof TARGETS;

export interface ListenerMatch {
  name?: string;
  portNumber?: number;
  listenerFilter?: string;
  filterChain?: {
    name?: string;
    sni?: string;
    transportProtocol?: string;
    applicationProtocols?: string;
    destinationPort?: number;
    filter?: { name?: string; subFilter?: { name?: string } };
  };
}

export interface RouteConfigurationMatch {
  name?: string;
  portNumber?: number;
  portName?: string;
  gateway?: string;
  vhost?: { name?: string; domainName?: string; route?: { name?: string; action?: string } };
}

export interface ClusterMatch {
  name?: string;
  portNumber?: number;
  service?: string;
  subset?: string;
}

/** One patch, its value read. `value` is undefined for those that only take away. */
export interface Patch {
  readonly operation: Operation;
  readonly context: string;
  readonly listener: ListenerMatch | undefined;
  readonly route: RouteConfigurationMatch | undefined;
  readonly cluster: ClusterMatch | undefined;
  readonly value: Message | undefined;
}

export type Patches = Readonly<Record<ApplyTo, readonly Patch[]>>;

type ConfigPatch = NonNullable<EnvoyFilterSpec["configPatches"]>[number];

/** Regular expressions of this length are no version. */
const MAX_VERSION_LENGTH = 1024;
/** Only lists of filters and routes have an order in which something can be inserted. */
const ORDERED: ReadonlySet<ApplyTo> = new Set(["HTTP_FILTER", "NETWORK_FILTER", "HTTP_ROUTE", "LISTENER_FILTER"]);
/** A patch's own namespace comes after the root's, so that it has the last word. */
export function applicableFilters(filters: readonly EnvoyFilter[], node: ProxyNode, rootNamespace: string): EnvoyFilter[] {
  return filters
    .filter((filter) =>
      appliesTo(
        {
          metadata: filter.metadata,
          spec: { selector: { matchLabels: filter.spec?.workloadSelector?.labels ?? {} }, targetRefs: filter.spec?.targetRefs ?? [] },
        },
        node,
        rootNamespace,
      ),
    )
    .sort(
      (a, b) =>
        (a.spec?.priority ?? 0) - (b.spec?.priority ?? 0) ||
        Number(b.metadata.namespace === rootNamespace) - Number(a.metadata.namespace === rootNamespace) ||
        compareAge(a, b),
    );
}

/** The patches for one proxy in the order in which they apply. A patch whose value cannot be read is left out and reported. */
export function readPatches(
  filters: readonly EnvoyFilter[],
  node: ProxyNode,
  registry: Registry,
  onInvalid: (thrown: unknown, filter: EnvoyFilter) => void,
): Patches {
  const patches = Object.fromEntries(Object.keys(TARGETS).map((target) => [target, [] as Patch[]])) as Record<ApplyTo, Patch[]>;
  for (const filter of filters) {
    for (const patch of filter.spec?.configPatches ?? []) {
      const applyTo = patch.applyTo as ApplyTo;
      if (!patch.patch || !(applyTo in TARGETS) || !matchesProxy(patch, node)) continue;
      try {
        const operation = (patch.patch.operation ?? "INVALID") as Operation;
        patches[applyTo].push({
          operation: operation.startsWith("INSERT") && !ORDERED.has(applyTo) ? "ADD" : operation,
          context: patch.match?.context ?? "ANY",
          listener: patch.match?.listener as ListenerMatch | undefined,
          route: patch.match?.routeConfiguration as RouteConfigurationMatch | undefined,
          cluster: patch.match?.cluster as ClusterMatch | undefined,
          value:
            patch.patch.value === undefined
              ? undefined
              : fromJson(TARGETS[applyTo] as DescMessage, patch.patch.value as JsonValue, { registry, ignoreUnknownFields: true }),
        });
      } catch (thrown) {
        onInvalid(thrown, filter);
      }
    }
  }
  return patches;
}

export function inContext(patch: Patch, context: PatchContext): boolean {
  return patch.context === "ANY" || patch.context === context;
}

function matchesProxy({ match }: ConfigPatch, node: ProxyNode): boolean {
  const proxy = match?.proxy;
  if (!proxy) return true;
  const { proxyVersion } = proxy;
  if (proxyVersion && !(proxyVersion.length <= MAX_VERSION_LENGTH && node.istioVersion !== "" && versionMatches(proxyVersion, node.istioVersion))) return false;
  return Object.entries(proxy.metadata ?? {}).every(([name, value]) => node.metadata[name] === value);
}

/** A pattern that is none matches nothing. */
function versionMatches(pattern: string, version: string): boolean {
  try {
    return compileRegex(pattern, "go").found(version);
  } catch {
    return false;
  }
}
