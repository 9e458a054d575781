import { clone } from "@bufbuild/protobuf";
import { RouteSchema, VirtualHostSchema, type Route, type VirtualHost } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema, type RouteConfiguration } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { parseClusterName } from "../names.ts";
import { edit } from "./edit.ts";
import { mergeInto } from "./merge.ts";
import { inContext, type Patch, type PatchContext, type Patches } from "./patches.ts";

export interface RoutePatchContext {
  readonly context: PatchContext;
  readonly patches: Patches;
  /** The ports that servers behind a gateway's route name have in their Gateways. */
  servicePorts(routePort: number): readonly number[];
}

const ACTIONS: Readonly<Record<string, string>> = { route: "ROUTE", redirect: "REDIRECT", directResponse: "DIRECT_RESPONSE" };

/** Changes a route configuration in place. */
export function patchRoutes(config: RouteConfiguration, patching: RoutePatchContext): void {
  const { context, patches } = patching;
  const fits = (patch: Patch): boolean => inContext(patch, context) && fitsConfiguration(patch, config, patching);
  for (const patch of patches.ROUTE_CONFIGURATION)
    if (fits(patch) && patch.value)
      merge(patch, () => mergeInto(RouteConfigurationSchema, config, patch.value as RouteConfiguration, patch.operation === "MERGE_AND_REPLACE_LIST"));
  const hostPatches = patches.VIRTUAL_HOST.filter(fits);
  const routePatches = patches.HTTP_ROUTE.filter(fits);
  const hosts = config.virtualHosts.flatMap((host): VirtualHost[] => {
    const patched = patchHost(host, hostPatches);
    if (patched) patchHostRoutes(patched, routePatches);
    return patched ? [patched] : [];
  });
  config.virtualHosts = [
    ...hosts,
    ...hostPatches.flatMap((patch) => (patch.operation === "ADD" && patch.value ? [clone(VirtualHostSchema, patch.value as VirtualHost)] : [])),
  ];
}

function patchHost(host: VirtualHost, patches: readonly Patch[]): VirtualHost | undefined {
  let patched = host;
  for (const patch of patches) {
    if (!fitsHost(patch, patched)) continue;
    if (patch.operation === "REMOVE") return undefined;
    if (!patch.value) continue;
    const value = patch.value as VirtualHost;
    if (patch.operation === "REPLACE") patched = clone(VirtualHostSchema, value);
    else merge(patch, () => mergeInto(VirtualHostSchema, patched, value, patch.operation === "MERGE_AND_REPLACE_LIST"));
  }
  return patched;
}

function patchHostRoutes(host: VirtualHost, patches: readonly Patch[]): void {
  const fitting = patches.filter((patch) => fitsHost(patch, host));
  host.routes = host.routes.filter((route) => {
    for (const patch of fitting) {
      if (!fitsRoute(patch, route)) continue;
      if (patch.operation === "REMOVE") return false;
      if (patch.value) merge(patch, () => mergeInto(RouteSchema, route, patch.value as Route, patch.operation === "MERGE_AND_REPLACE_LIST"));
    }
    return true;
  });
  for (const patch of fitting) {
    if (!patch.value || !["ADD", "INSERT_FIRST", "INSERT_BEFORE", "INSERT_AFTER"].includes(patch.operation)) continue;
    const named = patch.route?.vhost?.route !== undefined;
    const fits = named ? (route: Route) => fitsRoute(patch, route) : undefined;
    // Only where the named route is there does another one go before all.
    if (patch.operation === "INSERT_FIRST" && fits && !host.routes.some(fits)) continue;
    host.routes = edit(host.routes, patch.operation, fits, () => clone(RouteSchema, patch.value as Route));
  }
}

function merge({ operation }: Patch, apply: () => void): void {
  if (operation === "MERGE" || operation === "MERGE_AND_REPLACE_LIST") apply();
}

function fitsConfiguration({ route: match }: Patch, { name }: RouteConfiguration, { context, servicePorts }: RoutePatchContext): boolean {
  if (!match) return true;
  if (match.name && match.name !== name) return false;
  if (context !== "GATEWAY") return !match.portNumber || match.portNumber === (parseClusterName(name)?.port ?? Number(name));
  const gateway = gatewayRoute(name);
  if (match.portName && match.portName !== gateway.portName) return false;
  if (match.gateway && match.gateway !== gateway.gateway) return false;
  return !match.portNumber || servicePorts(gateway.port).includes(match.portNumber);
}

/** Takes `http.8080` and `https.443.https.gateway.namespace` apart. */
function gatewayRoute(name: string): { port: number; portName: string; gateway: string } {
  const [scheme, port = "", portName = "", gateway = "", namespace = "", ...others] = name.split(".");
  const number = Number(port);
  if (scheme === "https" && namespace && others.length === 0) return { port: number, portName, gateway: `${namespace}/${gateway}` };
  return { port: scheme === "http" && Number.isInteger(number) ? number : 0, portName: "", gateway: "" };
}

function fitsHost({ route: match }: Patch, host: VirtualHost): boolean {
  const wanted = match?.vhost;
  return (!wanted?.name || wanted.name === host.name) && (!wanted?.domainName || host.domains.includes(wanted.domainName));
}

function fitsRoute({ route: match }: Patch, route: Route): boolean {
  const wanted = match?.vhost?.route;
  if (wanted?.name && wanted.name !== route.name) return false;
  const action = ACTIONS[route.action.case ?? ""];
  return !wanted?.action || wanted.action === "ANY" || action === undefined || wanted.action === action;
}
