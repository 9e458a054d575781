import { clone, type Registry } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { packAny, unpackAny } from "../../../proto/index.ts";
import {
  FilterChainSchema,
  FilterSchema,
  ListenerFilterSchema,
  type Filter,
  type FilterChain,
  type ListenerFilter,
} from "../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
  type HttpConnectionManager,
  type HttpFilter,
} from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { VIRTUAL_INBOUND, VIRTUAL_OUTBOUND } from "../names.ts";
import { edit } from "./edit.ts";
import { mergeAny, mergeInto } from "./merge.ts";
import { inContext, type Patch, type PatchContext, type Patches } from "./patches.ts";
import { patchRoutes, type RoutePatchContext } from "./routes.ts";

const HTTP_MANAGER = "envoy.filters.network.http_connection_manager";

export interface ListenerPatching {
  readonly context: PatchContext;
  readonly patches: Patches;
  readonly registry: Registry;
  /** Told of a patch that cannot be applied: it is left out, and the others are applied. */
  readonly failed: (thrown: unknown) => void;
}

/** Changes a listener; undefined when a patch takes it away. */
export function patchListener(listener: Listener, patching: ListenerPatching): Listener | undefined {
  const { context, patches } = patching;
  if (context === "SIDECAR_INBOUND") patchInlineRoutes(listener, { ...patching, servicePorts: () => [] });
  for (const patch of patches.LISTENER) {
    if (!inContext(patch, context) || !fitsListener(patch, listener, true)) continue;
    if (patch.operation === "REMOVE") return undefined;
    if (isMerge(patch) && patch.value) mergeInto(ListenerSchema, listener, patch.value as Listener, patch.operation === "MERGE_AND_REPLACE_LIST");
  }
  patchListenerFilters(listener, patching);
  patchChains(listener, patching);
  return listener;
}

/** Whole listeners that patches add. Those for any context go with the outbound side. */
export function addedListeners({ context, patches }: Pick<ListenerPatching, "context" | "patches">): Listener[] {
  const added = patches.LISTENER.filter(
    (patch) => patch.operation === "ADD" && inContext(patch, context) && !(patch.context === "ANY" && context === "SIDECAR_INBOUND"),
  );
  return added.flatMap(({ value }) => (value ? [clone(ListenerSchema, value as Listener)] : []));
}

function patchListenerFilters(listener: Listener, patching: ListenerPatching): void {
  const { context, patches } = patching;
  for (const patch of patches.LISTENER_FILTER) {
    if (!inContext(patch, context) || !fitsListener(patch, listener)) continue;
    const name = patch.listener?.listenerFilter;
    const fits = name ? (filter: ListenerFilter) => filter.name === name : undefined;
    if (patch.operation === "MERGE") {
      if (fits) for (const filter of listener.listenerFilters.filter(fits)) mergeConfig(filter, patch.value as ListenerFilter | undefined, patching, false);
    } else if (patch.value || patch.operation === "REMOVE")
      listener.listenerFilters = edit(listener.listenerFilters, patch.operation, fits, () => clone(ListenerFilterSchema, patch.value as ListenerFilter));
  }
}

function patchChains(listener: Listener, patching: ListenerPatching): void {
  const { context, patches } = patching;
  const kept = listener.filterChains.filter((chain) => chain.filters.length === 0 || patchChain(listener, chain, patching));
  const { defaultFilterChain } = listener;
  if (defaultFilterChain && defaultFilterChain.filters.length > 0 && !patchChain(listener, defaultFilterChain, patching)) delete listener.defaultFilterChain;
  const added = patches.FILTER_CHAIN.filter((patch) => patch.operation === "ADD" && patch.value && inContext(patch, context) && fitsListener(patch, listener));
  listener.filterChains = [...kept, ...added.map(({ value }) => clone(FilterChainSchema, value as FilterChain))].filter(({ filters }) => filters.length > 0);
}

/** False when a patch takes the chain away. */
function patchChain(listener: Listener, chain: FilterChain, patching: ListenerPatching): boolean {
  const { context, patches } = patching;
  for (const patch of patches.FILTER_CHAIN) {
    if (!inContext(patch, context) || !fitsListener(patch, listener) || !fitsChain(patch, listener, chain)) continue;
    if (patch.operation === "REMOVE") return false;
    const value = patch.value as FilterChain | undefined;
    if (!isMerge(patch) || !value) continue;
    // A transport of the same kind is changed inside; merging its encoded form would replace it.
    if (value.transportSocket && chain.transportSocket && value.transportSocket.name === chain.transportSocket.name)
      mergeConfig(chain.transportSocket, value.transportSocket, patching, false);
    else mergeInto(FilterChainSchema, chain, value, patch.operation === "MERGE_AND_REPLACE_LIST");
  }
  patchNetworkFilters(listener, chain, patching);
  return true;
}

function patchNetworkFilters(listener: Listener, chain: FilterChain, patching: ListenerPatching): void {
  const { context, patches } = patching;
  const fitting = patches.NETWORK_FILTER.filter((patch) => inContext(patch, context) && fitsListener(patch, listener) && fitsChain(patch, listener, chain));
  for (const patch of fitting) {
    if (isMerge(patch) || (!patch.value && patch.operation !== "REMOVE")) continue;
    chain.filters = edit(chain.filters, patch.operation, networkFit(patch), () => clone(FilterSchema, patch.value as Filter));
  }
  for (const filter of chain.filters) {
    for (const patch of fitting)
      if (patch.operation === "MERGE" && (networkFit(patch)?.(filter) ?? true)) mergeConfig(filter, patch.value as Filter | undefined, patching, true);
    if (filter.name === HTTP_MANAGER) patchHttpFilters(listener, chain, filter, patching);
  }
}

function patchHttpFilters(listener: Listener, chain: FilterChain, filter: Filter, patching: ListenerPatching): void {
  const { context, patches } = patching;
  const fitting = patches.HTTP_FILTER.filter(
    (patch) => inContext(patch, context) && fitsListener(patch, listener) && fitsChain(patch, listener, chain) && (networkFit(patch)?.(filter) ?? true),
  );
  const manager = fitting.length > 0 ? unpackAny(HttpConnectionManagerSchema, configOf(filter)) : undefined;
  if (!manager) return;
  const fitOf = (patch: Patch) => {
    const name = patch.listener?.filterChain?.filter?.subFilter;
    return name && ((candidate: HttpFilter) => candidate.name === name.name);
  };
  for (const patch of fitting) {
    if (isMerge(patch) || (!patch.value && patch.operation !== "REMOVE")) continue;
    manager.httpFilters = edit(manager.httpFilters, patch.operation, fitOf(patch), () => clone(HttpFilterSchema, patch.value as HttpFilter));
  }
  for (const httpFilter of manager.httpFilters)
    for (const patch of fitting)
      if (patch.operation === "MERGE" && (fitOf(patch)?.(httpFilter) ?? true)) mergeConfig(httpFilter, patch.value as HttpFilter | undefined, patching, true);
  setConfig(filter, packManager(manager));
}

/** Inbound routes are part of the listener. */
function patchInlineRoutes(listener: Listener, patching: RoutePatchContext): void {
  const { patches } = patching;
  if (patches.ROUTE_CONFIGURATION.length + patches.VIRTUAL_HOST.length + patches.HTTP_ROUTE.length === 0) return;
  for (const filter of listener.filterChains.flatMap(({ filters }) => filters)) {
    const manager = filter.name === HTTP_MANAGER ? unpackAny(HttpConnectionManagerSchema, configOf(filter)) : undefined;
    if (manager?.routeSpecifier.case !== "routeConfig") continue;
    patchRoutes(manager.routeSpecifier.value, patching);
    setConfig(filter, packManager(manager));
  }
}

function packManager(manager: HttpConnectionManager): Any {
  return packAny(HttpConnectionManagerSchema, manager);
}

interface Configured {
  name: string;
  configType: { case: string; value: unknown } | { case: undefined; value?: undefined };
}

function configOf(filter: Configured): Any | undefined {
  return filter.configType.case === "typedConfig" ? (filter.configType.value as Any) : undefined;
}

function setConfig(filter: Configured, value: Any): void {
  filter.configType = { case: "typedConfig", value };
}

/** Merges a filter's configuration, and takes its new name. One without a configuration stays. */
function mergeConfig(target: Configured, patch: Configured | undefined, { registry, failed }: ListenerPatching, rename: boolean): void {
  const own = configOf(target);
  if (!own || !patch) return;
  if (rename && patch.name) target.name = patch.name;
  const value = configOf(patch);
  if (!value) return;
  try {
    setConfig(target, mergeAny(own, value, registry));
  } catch (thrown) {
    failed(thrown);
  }
}

function isMerge({ operation }: Patch): boolean {
  return operation === "MERGE" || operation === "MERGE_AND_REPLACE_LIST";
}

function isVirtual({ name }: Listener): boolean {
  return name === VIRTUAL_INBOUND || name === VIRTUAL_OUTBOUND;
}

/** Virtual listeners stand for all ports; their chains say which. */
function fitsListener({ listener: match }: Patch, listener: Listener, whole = false): boolean {
  if (!match) return true;
  if (match.name && match.name !== listener.name) return false;
  if (!whole && isVirtual(listener)) return true;
  if (!match.portNumber) return true;
  const address = listener.address?.address;
  return address?.case === "socketAddress" && address.value.portSpecifier.case === "portValue" && address.value.portSpecifier.value === match.portNumber;
}

function fitsChain({ listener: match }: Patch, listener: Listener, chain: FilterChain): boolean {
  if (!match) return true;
  const own = chain.filterChainMatch;
  if (isVirtual(listener) && match.portNumber && own?.destinationPort !== match.portNumber) return false;
  const wanted = match.filterChain;
  if (!wanted) return true;
  if (wanted.name && wanted.name !== chain.name) return false;
  if (wanted.sni && !own?.serverNames.includes(wanted.sni)) return false;
  if (wanted.transportProtocol && own?.transportProtocol !== wanted.transportProtocol) return false;
  if (wanted.applicationProtocols && !wanted.applicationProtocols.split(",").every((protocol) => own?.applicationProtocols.includes(protocol))) return false;
  return !wanted.destinationPort || own?.destinationPort === wanted.destinationPort;
}

function networkFit(patch: Patch): ((filter: Filter) => boolean) | undefined {
  const wanted = patch.listener?.filterChain?.filter;
  return wanted && ((filter) => filter.name === wanted.name);
}
