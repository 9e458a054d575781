import {
  authorizationFilters,
  customFilters,
  jwtFilter,
  jwtRulesFor,
  parseDuration,
  selectAuthorization,
  type Duration,
  type FilterConfig,
  type JwksSource,
} from "../../policy/index.ts";
import type { ProxyConfigSpec } from "../../registry/index.ts";
import { clusterLookup } from "../cluster-lookup.ts";
import { extensionFilter, extensionsFor, isNetworkExtension, matches, type Extension, type Phase } from "../extension/index.ts";
import type { Memo, MemoKey } from "../memo.ts";
import { metadataText, type ProxyContext } from "../proxy.ts";
import { proxyHeaders, type ProxyHeaders } from "../proxy-headers.ts";
import {
  accessLogs,
  agentLog,
  agentLogPath,
  applicableTelemetry,
  httpTracing,
  onlyAtTheEnd,
  statsFilters,
  type AccessLog,
  type AppliedTelemetry,
  type LogPlace,
  type TrafficClass,
} from "../telemetry/index.ts";
import { inboundMutualTls, tlsSocket } from "./downstream-tls.ts";
import { managerTracing } from "./http.ts";

type Layer = "http" | "tcp";

/** In the order in which they come, with what stands between them. */
const LATE_PHASES: readonly Phase[] = ["STATS", "UNSPECIFIED"];
const PHASES: readonly Phase[] = ["AUTHN", "AUTHZ", ...LATE_PHASES];

/** What every chain of one proxy's listeners is made of, each made once. */
export class ListenerParts {
  readonly proxyConfig: ProxyConfigSpec;
  readonly idleTimeout: Duration | undefined;
  readonly #made = new Map<string, unknown>();
  readonly #telemetry: AppliedTelemetry;
  readonly #extensions: readonly Extension[];

  constructor(
    readonly proxy: ProxyContext,
    readonly jwks: JwksSource,
    /** What is made once for all workloads for which the same holds. */
    private readonly shared: Memo<unknown>,
    /** The services, where providers of the mesh config name some. */
    private readonly lookups: object | undefined,
  ) {
    const { node, mesh } = proxy;
    this.proxyConfig = proxy.view.proxyConfig ?? mesh.config.defaultConfig;
    this.idleTimeout = parseDuration(metadataText(node, "IDLE_TIMEOUT"));
    this.#telemetry = applicableTelemetry(mesh.snapshot.configs.Telemetry, node, mesh.config.rootNamespace);
    this.#extensions = extensionsFor(mesh.snapshot.configs, node, mesh.config.rootNamespace);
  }

  headers(trafficClass: TrafficClass): ProxyHeaders {
    return this.#shared([this.proxyConfig, "headers", trafficClass], () => proxyHeaders(this.proxyConfig, trafficClass));
  }

  /** None for a plain Envoy, which does not know the filter. */
  stats(trafficClass: TrafficClass): readonly FilterConfig[] {
    return this.proxy.view.dialect === "envoy" ? [] : this.#counted(trafficClass);
  }

  logs(trafficClass: TrafficClass, place: LogPlace): AccessLog[] {
    const { config, snapshot } = this.proxy.mesh;
    const { logging } = this.#telemetry;
    const path = this.agentLog(trafficClass);
    return this.#shared([config, this.lookups, ...logging, "logs", trafficClass, place, path], () => {
      const logs = accessLogs(logging, config, trafficClass, place, clusterLookup(snapshot));
      if (path === undefined) return logs;
      return [...(place === "tcp" ? logs.map(onlyAtTheEnd) : logs), ...agentLog(path, trafficClass, place)];
    });
  }

  /** The path of the log that a plain Envoy's agent counts by; undefined where nothing is to be counted, or Envoy does it. */
  agentLog(trafficClass: TrafficClass): string | undefined {
    const path = agentLogPath(this.proxy.node);
    return path !== undefined && this.#counted(trafficClass).length > 0 ? path : undefined;
  }

  #counted(trafficClass: TrafficClass): readonly FilterConfig[] {
    const { config } = this.proxy.mesh;
    const { metrics } = this.#telemetry;
    return this.#shared([config, ...metrics, "stats", trafficClass], () => statsFilters(metrics, config, trafficClass));
  }

  /** What connection managers are told of tracing, encoded. */
  managerTracing(trafficClass: TrafficClass): Uint8Array {
    const { tracing: specs } = this.#telemetry;
    // Without rules of its own, tracing is the same on all sides.
    return this.#once(specs.length === 0 ? "tracing" : `tracing ${trafficClass}`, () => {
      const { node, mesh } = this.proxy;
      return managerTracing(httpTracing({ specs, mesh: mesh.config, proxyConfig: this.proxyConfig, node, trafficClass, lookup: clusterLookup(mesh.snapshot) }));
    });
  }

  /** How spans name the workload, which is all that its listeners say of it by itself. */
  tracingKey(): string {
    return this.#once("tracing key", () => {
      const encoded = new Set((["inbound", "outbound", "gateway"] as const).map((trafficClass) => this.managerTracing(trafficClass)));
      return [...encoded].map((bytes) => Bun.hash.xxHash64(bytes).toString(16)).join();
    });
  }

  /** The filters of CUSTOM policies, which come before tokens are looked at. */
  custom(layer: Layer): readonly FilterConfig[] {
    return this.#once(`custom ${layer}`, () => customFilters(this.#authorization().selected, this.#authorization().context, layer));
  }

  authorization(layer: Layer): readonly FilterConfig[] {
    return this.#once(`authorization ${layer}`, () => authorizationFilters(this.#authorization().selected, this.#authorization().context, layer));
  }

  /** Extensions of one phase, or of all that come late, for a port's chain. `port` 0 is that of no service. */
  extensions(layer: Layer, phase: Phase | "late" | "all", trafficClass: TrafficClass, port: number): readonly FilterConfig[] {
    if (this.#extensions.length === 0) return [];
    const phases = phase === "late" ? LATE_PHASES : phase === "all" ? PHASES : [phase];
    const fitting = this.#extensions.filter((extension) => isNetworkExtension(extension) === (layer === "tcp") && matches(extension, trafficClass, port));
    return phases.flatMap((each) => fitting.filter((extension) => extension.phase === each).map(extensionFilter));
  }

  /** The extensions that hold for the workload, by the objects' state. */
  extensionsKey(): string {
    return this.#extensions.length === 0 ? "" : JSON.stringify(this.#extensions);
  }

  jwt(): readonly FilterConfig[] {
    return this.#once("jwt", () => {
      const filter = jwtFilter(this.#jwtRules(), this.jwks, this.proxy.node.type !== "sidecar");
      return filter ? [filter] : [];
    });
  }

  /** The resources that the telemetry of the workload comes from. */
  telemetryKey(): readonly unknown[] {
    const { metrics, logging, tracing } = this.#telemetry;
    return [metrics.length, ...metrics, logging.length, ...logging, ...tracing];
  }

  /** The policies that hold for the workload, and the keys that tokens are checked with. */
  securityKey(): readonly unknown[] {
    const { allow, deny, audit, custom } = this.#authorization().selected;
    const keys = this.#jwtRules().map((rule) => rule.jwks || this.jwks.get(rule.issuer ?? "", rule.jwksUri ?? rule.jwks_uri));
    return [allow.length, ...allow, deny.length, ...deny, audit.length, ...audit, ...custom, ...this.#jwtRules(), ...keys];
  }

  #jwtRules() {
    const { node, mesh } = this.proxy;
    return this.#once("jwt rules", () => jwtRulesFor(mesh.snapshot.configs.RequestAuthentication, node, mesh.config.rootNamespace));
  }

  #authorization() {
    return this.#once("selected authorization", () => {
      const { node, mesh } = this.proxy;
      const { trustDomain, trustDomainAliases, extensionProviders, rootNamespace } = mesh.config;
      return {
        selected: selectAuthorization(mesh.snapshot.configs.AuthorizationPolicy, node, rootNamespace),
        context: { trustDomains: [trustDomain, ...trustDomainAliases], providers: { extensionProviders, findCluster: clusterLookup(mesh.snapshot) } },
      };
    });
  }

  /** The transport socket of mutual TLS inside the mesh. */
  mutualTls(layer: "HTTP" | "TCP"): ReturnType<typeof tlsSocket> {
    const { node, view, mesh } = this.proxy;
    const files = ["TLS_SERVER_CERT_CHAIN", "TLS_SERVER_KEY", "TLS_SERVER_ROOT_CERT"].map((name) => metadataText(node, name));
    return this.#shared([mesh.config, "mutual TLS", layer, node.dialect, view.secretSockets.fileSocket, ...files], () =>
      tlsSocket(inboundMutualTls(node, view, mesh.config, layer)),
    );
  }

  #shared<Value>(key: MemoKey, make: () => Value): Value {
    return this.shared.get(key, make) as Value;
  }

  #once<Value>(name: string, make: () => Value): Value {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name) as Value;
  }
}
