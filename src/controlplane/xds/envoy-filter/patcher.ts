import { fromBinary, type Registry } from "@bufbuild/protobuf";
import { ClusterSchema, type Cluster } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { TrafficDirection } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { TypedExtensionConfigSchema, type TypedExtensionConfig } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import type { EnvoyFilter } from "../../../resources/index.ts";
import { encodeResource } from "../encode.ts";
import { mergeGateways } from "../gateway/merge.ts";
import { Memo } from "../memo.ts";
import { INBOUND_PASSTHROUGH } from "../names.ts";
import type { ProxyContext } from "../proxy.ts";
import type { XdsResource } from "../types.ts";
import { addedClusters, patchCluster } from "./clusters.ts";
import { addedListeners, patchListener } from "./listeners.ts";
import { applicableFilters, readPatches, type ApplyTo, type PatchContext, type Patches } from "./patches.ts";
import { patchRoutes } from "./routes.ts";

const LISTENER_TARGETS: readonly ApplyTo[] = [
  "LISTENER",
  "FILTER_CHAIN",
  "NETWORK_FILTER",
  "HTTP_FILTER",
  "LISTENER_FILTER",
  "ROUTE_CONFIGURATION",
  "VIRTUAL_HOST",
  "HTTP_ROUTE",
];
const ROUTE_TARGETS: readonly ApplyTo[] = ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"];

/**
 * Applies EnvoyFilters to finished resources. Most meshes have none, and then nothing is decoded. A resource whose patches
 * fail stays as it was, and the failure is reported: one bad patch must not take a proxy's configuration away.
 */
export class EnvoyFilterPatcher {
  readonly #patches = new Memo<Patches>();
  readonly #results = new Memo<XdsResource | undefined>();
  readonly #lists = new Memo<readonly XdsResource[]>();

  constructor(
    /** Called on first use only: knowing all types costs memory. */
    readonly registry: () => Registry,
    readonly onInvalid: (thrown: unknown, filters: readonly EnvoyFilter[]) => void,
  ) {}

  clusters(proxy: ProxyContext, resources: readonly XdsResource[]): readonly XdsResource[] {
    const patches = this.#patchesFor(proxy, ["CLUSTER"]);
    if (!patches) return resources;
    return this.#lists.get([patches, resources, ...proxy.targets.map(({ service }) => service)], () => {
      const patched = new Map<PatchContext, XdsResource[]>();
      for (const resource of resources) {
        const inbound = resource.name.startsWith("inbound|") || resource.name === INBOUND_PASSTHROUGH;
        const context: PatchContext = proxy.view.type === "router" ? "GATEWAY" : inbound ? "SIDECAR_INBOUND" : "SIDECAR_OUTBOUND";
        const hosts = inbound
          ? proxy.targets.filter(({ targetPort }) => resource.name === `inbound|${targetPort}||`).map(({ service }) => service.hostname)
          : [];
        const result = this.#apply(proxy, resource, [patches, context, hosts.join()], () => {
          const cluster = patchCluster(fromBinary(ClusterSchema, resource.value), {
            context,
            patches,
            registry: this.registry(),
            hosts,
            failed: (thrown) => this.#report(thrown, proxy),
          });
          return cluster && encodeCluster(cluster);
        });
        patched.set(context, [...(patched.get(context) ?? []), ...(result ? [result] : [])]);
      }
      const contexts: PatchContext[] = proxy.view.type === "router" ? ["GATEWAY"] : ["SIDECAR_OUTBOUND", "SIDECAR_INBOUND"];
      return unique(contexts.flatMap((context) => [...(patched.get(context) ?? []), ...addedClusters({ context, patches }).map(encodeCluster)]));
    });
  }

  listeners(proxy: ProxyContext, resources: readonly XdsResource[]): readonly XdsResource[] {
    const patches = this.#patchesFor(proxy, LISTENER_TARGETS);
    if (!patches) return resources;
    return this.#lists.get([patches, resources], () => {
      const decoded = resources.map((resource) => ({
        resource,
        inbound: proxy.view.type === "sidecar" && fromBinary(ListenerSchema, resource.value).trafficDirection === TrafficDirection.INBOUND,
      }));
      const side = (inbound: boolean): XdsResource[] => {
        const context: PatchContext = proxy.view.type === "router" ? "GATEWAY" : inbound ? "SIDECAR_INBOUND" : "SIDECAR_OUTBOUND";
        const own = decoded
          .filter((entry) => entry.inbound === inbound)
          .flatMap(({ resource }) => {
            const result = this.#apply(proxy, resource, [patches, context], () => {
              const listener = patchListener(fromBinary(ListenerSchema, resource.value), {
                context,
                patches,
                registry: this.registry(),
                failed: (thrown) => this.#report(thrown, proxy),
              });
              return listener && encodeListener(listener);
            });
            return result ? [result] : [];
          });
        return [...own, ...addedListeners({ context, patches }).map(encodeListener)];
      };
      return unique(proxy.view.type === "router" ? side(false) : [...side(false), ...side(true)]);
    });
  }

  routes(proxy: ProxyContext, resources: readonly XdsResource[]): readonly XdsResource[] {
    const patches = this.#patchesFor(proxy, ROUTE_TARGETS);
    if (!patches) return resources;
    const context: PatchContext = proxy.view.type === "router" ? "GATEWAY" : "SIDECAR_OUTBOUND";
    const { configs } = proxy.mesh.snapshot;
    return resources.flatMap((resource) => {
      const result = this.#apply(proxy, resource, [patches, context, configs.Gateway], () => {
        const config = fromBinary(RouteConfigurationSchema, resource.value);
        patchRoutes(config, { context, patches, servicePorts: (port) => servicePorts(proxy, port) });
        return encodeResource(RouteConfigurationSchema, resource.name, config);
      });
      return result ? [result] : [];
    });
  }

  /** Configurations of filters that come apart from their listeners; there are none but those that patches add. */
  extensionConfigs(proxy: ProxyContext, names: readonly string[]): XdsResource[] {
    const patches = this.#patchesFor(proxy, ["EXTENSION_CONFIG"]);
    const wanted = new Set(names);
    const added = (patches?.EXTENSION_CONFIG ?? [])
      .filter(({ operation, value }) => operation === "ADD" && value)
      .map(({ value }) => value as TypedExtensionConfig);
    return unique(added.filter(({ name }) => wanted.has(name)).map((config) => encodeResource(TypedExtensionConfigSchema, config.name, config)));
  }

  /** Undefined when nothing is to be done for these targets. */
  #patchesFor({ mesh, node }: ProxyContext, targets: readonly ApplyTo[]): Patches | undefined {
    const all = mesh.snapshot.configs.EnvoyFilter;
    if (all.length === 0) return undefined;
    const filters = applicableFilters(all, node, mesh.config.rootNamespace);
    if (filters.length === 0) return undefined;
    const patches = this.#patches.get([...filters, node.istioVersion, JSON.stringify(node.metadata)], () =>
      readPatches(filters, node, this.registry(), (thrown, filter) => this.onInvalid(thrown, [filter])),
    );
    return targets.some((target) => patches[target].length > 0) ? patches : undefined;
  }

  #report(thrown: unknown, { mesh, node }: ProxyContext): void {
    this.onInvalid(thrown, applicableFilters(mesh.snapshot.configs.EnvoyFilter, node, mesh.config.rootNamespace));
  }

  #apply(proxy: ProxyContext, resource: XdsResource, key: readonly unknown[], patch: () => XdsResource | undefined): XdsResource | undefined {
    return this.#results.get([resource, ...key], () => {
      try {
        const patched = patch();
        return patched?.version === resource.version ? resource : patched;
      } catch (thrown) {
        this.#report(thrown, proxy);
        return resource;
      }
    });
  }
}

function servicePorts({ mesh, node, targets }: ProxyContext, routePort: number): number[] {
  const { routes } = mergeGateways(mesh.snapshot.configs.Gateway, node.labels, targets);
  const ports = [...routes]
    .filter(([name]) => Number(name.split(".")[1]) === routePort)
    .flatMap(([, servers]) => servers.map(({ server }) => server.port.number));
  return ports.length > 0 ? ports : [routePort];
}

function unique(resources: readonly XdsResource[]): XdsResource[] {
  const seen = new Set<string>();
  return resources.filter(({ name }) => !seen.has(name) && seen.add(name));
}

function encodeCluster(cluster: Cluster): XdsResource {
  return encodeResource(ClusterSchema, cluster.name, cluster);
}

function encodeListener(listener: Listener): XdsResource {
  return encodeResource(ListenerSchema, listener.name, listener);
}
