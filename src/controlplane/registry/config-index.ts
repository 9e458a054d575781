import type {
  AuthorizationPolicy,
  DestinationRule,
  EnvoyFilter,
  Gateway,
  KubeObject,
  PeerAuthentication,
  ProxyConfigResource,
  RequestAuthentication,
  ServiceEntry,
  Sidecar,
  Telemetry,
  TrafficExtension,
  VirtualService,
  WasmPlugin,
} from "../../resources/index.ts";
import { NO_INGRESS, type IngressConfigs } from "./ingress.ts";
import { compareAge } from "./order.ts";
import type { ObjectReader } from "./types.ts";

interface ConfigTypes {
  PeerAuthentication: PeerAuthentication;
  RequestAuthentication: RequestAuthentication;
  AuthorizationPolicy: AuthorizationPolicy;
  VirtualService: VirtualService;
  DestinationRule: DestinationRule;
  Gateway: Gateway;
  ServiceEntry: ServiceEntry;
  Sidecar: Sidecar;
  EnvoyFilter: EnvoyFilter;
  ProxyConfig: ProxyConfigResource;
  Telemetry: Telemetry;
  WasmPlugin: WasmPlugin;
  TrafficExtension: TrafficExtension;
}

export type ConfigKind = keyof ConfigTypes;
export const CONFIG_KINDS: readonly ConfigKind[] = [
  "PeerAuthentication",
  "RequestAuthentication",
  "AuthorizationPolicy",
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "ServiceEntry",
  "Sidecar",
  "EnvoyFilter",
  "ProxyConfig",
  "Telemetry",
  "WasmPlugin",
  "TrafficExtension",
];

/** Istio's resources by kind, oldest first; a kind's list is the same object as long as none of the kind changed. */
export type ConfigIndex = { readonly [Kind in ConfigKind]: readonly ConfigTypes[Kind][] };

/** The index after changes of `changed` kinds, with what Ingresses became; without `previous` everything is read. */
export function indexConfigs(
  objects: ObjectReader,
  previous: ConfigIndex | undefined,
  changed: ReadonlySet<string>,
  ingress: IngressConfigs = NO_INGRESS,
): ConfigIndex {
  const derived: Partial<Record<ConfigKind, readonly KubeObject[]>> = { Gateway: ingress.gateways, VirtualService: ingress.virtualServices };
  if (previous && !CONFIG_KINDS.some((kind) => changed.has(kind))) return previous;
  const index: Record<string, readonly KubeObject[]> = {};
  for (const kind of CONFIG_KINDS) {
    // A spec that is not even a mapping was not let in by any admission; it must not take others down.
    index[kind] =
      previous && !changed.has(kind)
        ? previous[kind]
        : [...objects.list(kind).filter((object) => object.spec === undefined || isRecord(object.spec)), ...(derived[kind] ?? [])].sort(compareAge);
  }
  return index as unknown as ConfigIndex;
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
