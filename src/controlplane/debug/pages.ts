import type { Registry as TypeRegistry } from "@bufbuild/protobuf";
import { loadRegistry, XDS_TYPES } from "../../proto/index.ts";
import type { MeshSnapshot } from "../registry/snapshot.ts";
import type { XdsGenerator } from "../xds/types.ts";
import { configDump, configDumpJson, resourcesJson } from "./config-dump.ts";
import { authorizationPage, meshPage, networkPage, pushContextPage, resourcePage, telemetryPage } from "./mesh-pages.ts";
import { byteCount, cachedResources, instancesPage, sidecarPage } from "./proxy-pages.ts";
import { configPage, endpointPage, registryPage } from "./registry-pages.ts";
import { syncStatus } from "./sync-status.ts";
import { iso, proxyName, type ConnectionView } from "./views.ts";

export interface Page {
  status: number;
  contentType: string;
  body: string;
}

export interface PagesOptions {
  snapshot(): MeshSnapshot;
  connections(): Iterable<ConnectionView>;
  generator: XdsGenerator;
  version(): string;
  clusterId: string;
  /** How far the last changes of configuration have come, the newest first; of one object by `<kind>/<namespace>/<name>`. */
  changes(key: string | undefined): unknown;
  /** Where the replacement of the mesh's root stands. */
  rotation(): unknown;
  /** Has every proxy's configuration looked at again; answers how many proxies there are. */
  push(): number;
}

interface Endpoint {
  description: string;
  /** A namespace's own proxies may ask for these about themselves; all others are for istiod's namespace. */
  ofOneProxy?: true;
  /** Further queries that it answers, for the list. */
  variants?: Readonly<Record<string, string>>;
  answer(query: URLSearchParams): Promise<unknown> | unknown;
}

/** Istio's answers when a proxy is asked for that is not there. */
const NO_PROXY_ID = "You must provide a proxyID in the query string";
const NOT_CONNECTED = "Proxy not connected to this Pilot instance. It may be connected to another instance.";

/** A page that is not JSON, or not a success. */
class Text {
  constructor(
    readonly status: number,
    readonly text: string,
  ) {}
}

/** The pages under /debug, in Istio's shapes. */
export class DebugPages {
  readonly #endpoints: Record<string, Endpoint>;

  constructor(private readonly options: PagesOptions) {
    const { snapshot, generator, version } = options;
    const forProxy = (answer: (connection: ConnectionView, types: TypeRegistry) => unknown) => async (query: URLSearchParams) => {
      const id = query.get("proxyID");
      if (!id) return new Text(400, NO_PROXY_ID);
      const connection = this.find(id);
      return connection ? answer(connection, await loadRegistry()) : new Text(404, NOT_CONNECTED);
    };
    this.#endpoints = {
      adsz: {
        description: "Status and debug interface for ADS",
        variants: { "push=true": "Initiates push of the current state to all connected endpoints" },
        answer: (query) => (query.get("push") ? new Text(200, `Pushed to ${options.push()} servers\n`) : this.#clients(true)),
      },
      // There is no ambient mode here: no workload is reached without a proxy of its own.
      ambientz: { description: "Debug support for ambient", answer: () => ({ workloads: null, services: null, policies: null }) },
      authorizationz: { description: "Internal authorization policies", answer: () => authorizationPage(snapshot()) },
      cachez: {
        description: "Info about the internal XDS caches",
        variants: { "sizes=true": "Info about the size of the internal XDS caches" },
        answer: (query) => this.#cache(query.has("sizes")),
      },
      changez: {
        description: "When the last changes of configuration were in force at every proxy; of one object with ?key=<kind>/<namespace>/<name>",
        answer: (query) => options.changes(query.get("key") ?? undefined),
      },
      clusterz: {
        description: "List remote clusters where istiod reads endpoints",
        answer: () => [{ id: options.clusterId, secretName: "", syncStatus: "synced" }],
      },
      config_dump: {
        description: "ConfigDump in the form of the Envoy admin config dump API for passed in proxyID",
        ofOneProxy: true,
        answer: forProxy((connection, types) => configDumpJson(configDump(connection, snapshot(), generator, version()), types)),
      },
      configz: { description: "Debug support for config", answer: () => configPage(snapshot().configs) },
      connections: { description: "Info about the connected XDS clients", answer: () => this.#clients(false) },
      ecdsz: {
        description: "Status and debug interface for ECDS",
        ofOneProxy: true,
        answer: forProxy(({ node, watches }, types) =>
          resourcesJson(generator.generate(node, snapshot(), XDS_TYPES.ECDS, [...(watches.get(XDS_TYPES.ECDS)?.names ?? [])]), types),
        ),
      },
      edsz: {
        description: "Status and debug interface for EDS",
        ofOneProxy: true,
        answer: forProxy(({ node, watches }, types) =>
          resourcesJson(generator.generate(node, snapshot(), XDS_TYPES.EDS, [...(watches.get(XDS_TYPES.EDS)?.names ?? [])]), types),
        ),
      },
      endpointShardz: { description: "Info about the endpoint shards", answer: () => endpointPage(snapshot()) },
      endpointz: { description: "Info about the endpoint shards", answer: () => endpointPage(snapshot()) },
      inject: { description: "Active inject template", answer: () => ({}) },
      instancesz: { description: "Debug support for service instances", answer: () => instancesPage(this.#connections(), snapshot()) },
      list: {
        description: "List all supported debug commands in json",
        answer: () =>
          this.#listed()
            .map(([path]) => path)
            .filter((path) => path !== "list"),
      },
      // Services of several clusters under one name: there is one cluster.
      mcsz: { description: "List information about Kubernetes MCS services", answer: () => null },
      mesh: { description: "Active mesh config", answer: () => meshPage(snapshot().mesh) },
      ndsz: {
        description: "Status and debug interface for NDS",
        ofOneProxy: true,
        answer: forProxy(({ node }, types) => resourcesJson(generator.generate(node, snapshot(), XDS_TYPES.NDS), types)),
      },
      networkz: { description: "List cross-network gateways", answer: () => networkPage(snapshot()) },
      push_status: { description: "Last PushContext Details", answer: () => ({}) },
      pushcontext: { description: "Debug support for current push context", answer: () => pushContextPage(snapshot()) },
      registryz: { description: "Debug support for registry", answer: () => registryPage(snapshot()) },
      resourcesz: { description: "Debug support for watched resources", answer: () => resourcePage(snapshot().configs) },
      rootz: { description: "The mesh's roots, and how many workloads hold certificates of one that signs no more", answer: () => options.rotation() },
      sidecarz: {
        description: "Debug sidecar scope for a proxy",
        ofOneProxy: true,
        answer: forProxy((connection) => sidecarPage(connection, snapshot(), version())),
      },
      syncz: { description: "Synchronization status of all Envoys connected to this Pilot instance", answer: () => this.#connections().map(syncStatus) },
      telemetryz: { description: "Debug Telemetry configuration", answer: () => telemetryPage(snapshot()) },
    };
  }

  /** Whether any caller may have this page about a proxy of its own namespace. */
  isOfOneProxy(name: string): boolean {
    return this.#endpoints[name]?.ofOneProxy === true;
  }

  /** The proxy that istioctl calls `<pod>.<namespace>`. */
  find(proxyId: string): ConnectionView | undefined {
    return this.#connections().find((connection) => proxyName(connection) === proxyId || connection.id === proxyId);
  }

  /** `name` is what follows /debug/; "" is the index. */
  async page(name: string, query: URLSearchParams): Promise<Page> {
    if (name === "") return { status: 200, contentType: "text/html; charset=utf-8", body: this.#index() };
    const endpoint = Object.hasOwn(this.#endpoints, name) ? this.#endpoints[name] : undefined;
    if (!endpoint) return { status: 404, contentType: "text/plain; charset=utf-8", body: `unknown debug page ${name}; /debug/list names them\n` };
    const answer = await endpoint.answer(query);
    if (answer instanceof Text) return { status: answer.status, contentType: "text/plain; charset=utf-8", body: answer.text };
    return { status: 200, contentType: "application/json", body: JSON.stringify(answer, null, query.has("pretty") ? 2 : undefined) };
  }

  #connections(): ConnectionView[] {
    return [...this.options.connections()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Paths behind /debug/ with what they show. */
  #listed(): [string, string][] {
    return Object.entries(this.#endpoints).flatMap(([name, { description, variants }]) => [
      [name, description],
      ...Object.entries(variants ?? {}).map(([query, text]): [string, string] => [`${name}?${query}`, text]),
    ]);
  }

  #cache(sizes: boolean): unknown {
    const cached = cachedResources(this.#connections(), this.options.snapshot(), this.options.generator);
    if (!sizes) return Object.fromEntries([...cached].map(([typeUrl, resources]) => [typeUrl, resources.map(({ name }) => name)]));
    const bytes = [...cached].map(([typeUrl, resources]): [string, number] => [typeUrl, resources.reduce((sum, { value }) => sum + value.length, 0)]);
    return Object.fromEntries([...bytes, ["total", bytes.reduce((sum, [, size]) => sum + size, 0)] as const].map(([name, size]) => [name, byteCount(size)]));
  }

  #clients(whole: boolean): unknown {
    const clients = this.#connections().map(({ id, connectedAt, address, node, watches }) => ({
      connectionId: id,
      connectedAt: iso(connectedAt),
      address,
      ...(whole
        ? {
            labels: node.labels,
            metadata: node.metadata,
            locality: Object.fromEntries(Object.entries(node.locality).filter(([, value]) => value !== "")),
            watches: Object.fromEntries([...watches].map(([typeUrl, watch]) => [typeUrl, watch.wildcard ? [...watch.sent.keys()] : [...watch.names]])),
          }
        : {}),
    }));
    return { totalClients: clients.length, clients };
  }

  #index(): string {
    const rows = this.#listed().map(([name, description]) => `<tr><td><a href="/debug/${name}">/debug/${name}</a></td><td>${description}</td></tr>`);
    return `<!doctype html><html><head><title>Pilot Debug Console</title></head><body><p>Add <b>?pretty</b> to format the output.</p><table>${rows.join("")}</table></body></html>\n`;
  }
}
