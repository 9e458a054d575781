import { registryNow } from "../registry.ts";
import { messageOf } from "./envoy.ts";
import { ReadProblem } from "./go-scalars.ts";
import { readMessage } from "./read.ts";
import type { AnyResolver, MessageType } from "./types.ts";

/** What is wrong with the value of an EnvoyFilter's patch, and what Envoy may not take as it is meant. */
export interface PatchVerdict {
  readonly error?: string;
  readonly warnings: readonly string[];
}

/** The message that each part of Envoy's configuration is. */
const TARGETS: Readonly<Record<string, string>> = {
  LISTENER: "envoy.config.listener.v3.Listener",
  FILTER_CHAIN: "envoy.config.listener.v3.FilterChain",
  NETWORK_FILTER: "envoy.config.listener.v3.Filter",
  LISTENER_FILTER: "envoy.config.listener.v3.ListenerFilter",
  HTTP_FILTER: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
  ROUTE_CONFIGURATION: "envoy.config.route.v3.RouteConfiguration",
  VIRTUAL_HOST: "envoy.config.route.v3.VirtualHost",
  HTTP_ROUTE: "envoy.config.route.v3.Route",
  CLUSTER: "envoy.config.cluster.v3.Cluster",
  EXTENSION_CONFIG: "envoy.config.core.v3.TypedExtensionConfig",
  BOOTSTRAP: "envoy.config.bootstrap.v3.Bootstrap",
};

/** Reads a patch's value as the message that it changes: as a mistake where it cannot be read, as a warning where it has fields that no message has. */
export function checkPatchValue(applyTo: string, value: unknown): PatchVerdict {
  const name = TARGETS[applyTo];
  if (value === undefined || value === null) return { warnings: [] };
  const desc = name === undefined ? undefined : registryNow().getMessage(name);
  if (!desc) return name === undefined ? { error: `Envoy filter: unknown object type for applyTo ${applyTo}`, warnings: [] } : { warnings: [] };
  const type = messageOf(desc);
  const lenient = problem(value, type, true);
  if (lenient !== undefined)
    return {
      error: lenient.includes("could not resolve Any message type")
        ? `referenced type unknown${lenient.includes(".v2.") ? " (hint: try using the v3 XDS API)" : ""}: ${lenient}`
        : lenient,
      warnings: [],
    };
  const strict = problem(value, type, false);
  if (strict !== undefined) return { warnings: [strict] };
  const untyped = missingTypedConfig(readMessage(value, type, { allowUnknown: true, resolve }), type);
  return { warnings: untyped.length > 0 ? [`using deprecated types by name without typed_config; ${untyped.join(", ")}`] : [] };
}

function problem(value: unknown, type: MessageType, allowUnknown: boolean): string | undefined {
  try {
    readMessage(value, type, { allowUnknown, resolve });
    return undefined;
  } catch (error) {
    if (!(error instanceof ReadProblem)) throw error;
    return `Envoy filter: ${error.message}`;
  }
}

/** Of Envoy's many extensions only those are generated that are used here: another is taken as it is. */
const OF_ENVOY = /^(envoy|xds|udpa|istio|io\.istio|stats)\.(?!.*\.v2\.)/;

const resolve: AnyResolver = (typeUrl) => {
  const name = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  const desc = registryNow().getMessage(name);
  if (desc) return messageOf(desc);
  return OF_ENVOY.test(name) ? { kind: "message", name, fields: [], open: true } : undefined;
};

/** Names of extensions that are meant by their name alone, which Envoy no longer finds. */
function missingTypedConfig(value: Readonly<Record<string, unknown>>, type: MessageType): string[] {
  const below = type.fields.flatMap(({ jsonName, list, mapKey, type: of }) => {
    const part = value[jsonName];
    return part !== undefined && !list && mapKey === undefined && of.kind === "message" ? missingTypedConfig(part as Record<string, unknown>, of) : [];
  });
  const needsConfig = type.fields.some(({ jsonName }) => jsonName === "typedConfig");
  if (!needsConfig || value.typedConfig !== undefined || value.configDiscovery !== undefined) return below;
  return [...below, typeof value.name === "string" ? value.name : ""];
}
