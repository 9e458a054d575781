import { errorText, type Clock, type Logger } from "../base/index.ts";
import { CONFIG_MAPS, createInformer, type KubeClient } from "../kube/index.ts";
import type { ConfigMap, Pod } from "../resources/index.ts";
import {
  createAuthenticator,
  createTokenReviewer,
  distributeRoots,
  followBoundObjects,
  openCa,
  type CertificateAuthority,
  type Holder,
  type OidcRule,
  type RootRotation,
} from "./ca/index.ts";
import { configDump, createDebugAccess, DebugPages, describeMesh, describeProcess, MetricsRegistry, VERSION_LINE, type ConnectionView } from "./debug/index.ts";
import { createInjector, defaultValues, parseTemplates, parseValues, type InjectionContext } from "./injection/index.ts";
import { countIstiods, followLeadership, listIstiods, whileLeading } from "./leadership/index.ts";
import { parseMeshConfig, REGISTRY_KINDS, type MeshSnapshot, type Registry } from "./registry/index.ts";
import {
  AdsServer,
  createCredentialSource,
  createDebugTypes,
  createServingCertificate,
  createValidator,
  createXdsMetrics,
  fetchJson,
  patchWebhooks,
  serveMonitoring,
  servePlaintext,
  serveReadiness,
  serveSecure,
  serveWebhooks,
  warmUp,
  type BoundServer,
  type GrpcServerOptions,
  type IstioValidator,
  type JwksFetcher,
} from "./server/index.ts";
import { allocateAddresses, writeIngressStatus } from "./status/index.ts";
import type { ProxyNode, XdsGenerator } from "./xds/types.ts";

export interface IstiodOptions {
  client: KubeClient;
  registry: Registry;
  generator: XdsGenerator;
  /** Keys of token issuers, which the generator reads; a change of theirs is pushed. */
  jwks?: Pick<JwksFetcher, "onChange">;
  validate: IstioValidator;
  /** Where metrics are collected; the registry may have begun before. */
  metrics?: MetricsRegistry;
  /** A further issuer of tokens that workloads may prove themselves with. */
  oidc?: OidcRule;
  /** How long a new root is made known before it signs. */
  rootSpreadMs?: number;
  namespace: string;
  revision: string;
  podName: string;
  clusterId: string;
  clock: Clock;
  log: Logger;
  /** Address to listen on; tests use loopback. */
  hostname: string;
  ports: { plaintext: number; secure: number; webhook: number; monitoring: number; readiness: number };
}

export interface Istiod {
  /** The ports that were really bound, for those given as 0. */
  ports: IstiodOptions["ports"];
  metrics: MetricsRegistry;
  /** Resolves when what proxies are expected to ask for is made; what it was made for, which keeps it. */
  warm: Promise<readonly ProxyNode[]>;
  /** Resolves when webhooks carry our CA. */
  webhooksPatched: Promise<void>;
  /** Whether this istiod is the one that writes what only one may write. */
  leads(): boolean;
  /** Stops taking calls, tells clients to go elsewhere, and lets go of everything within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** What Istio's agents mount: tokens for others, such as the API server, prove nothing here. */
const TOKEN_AUDIENCE = "istio-ca";

/**
 * Starts the control plane: the CA first, since every other part trusts or is trusted by it; then what pods wait for
 * (the trust bundle), the caches, and only then the ports, so that nobody gets half of the truth.
 */
export async function startIstiod(options: IstiodOptions): Promise<Istiod> {
  const { client, registry, generator, namespace, revision, clock, log, hostname, ports } = options;
  const metrics = options.metrics ?? new MetricsRegistry();
  const started = clock.now();
  const closers: (() => void)[] = [];
  const servers: BoundServer[] = [];
  let ready = false;
  let stopped = false;

  const values = watchValues(options);
  closers.push(values.stop);
  // The root carries the trust domain: it is read before a root is made, and without waiting for everything else.
  const reading = readTrustDomain(options);
  let synced = false;
  const trustDomain = (): string => (synced ? registry.current().mesh.trustDomain : first);
  // Asks for the lease, or who else there is, while the CA is read.
  const leadership = followLeadership({
    client,
    namespace,
    revision,
    identity: options.podName,
    replicas: () => (synced ? countIstiods(registry.current().objects.list("Deployment", namespace), revision) : listIstiods(client, namespace, revision)),
    clock,
    log: log.child("leader"),
  });
  const opening = openCa({
    client,
    namespace,
    trustDomain: reading,
    clock,
    log: log.child("ca"),
    ...(options.rootSpreadMs !== undefined && { spreadMs: options.rootSpreadMs }),
  });
  const [{ ca, rotation, stop: closeCa }, first] = await Promise.all([opening, reading]).catch(async (thrown: unknown) => {
    values.stop();
    await leadership.stop();
    throw thrown;
  });
  closers.push(closeCa);
  await leadership.settled;
  const roots = whileLeading(leadership, () => distributeRoots({ client, ca, clock, log: log.child("rootcert") }));
  closers.push(roots.stop);

  const serving = await createServingCertificate({ ca, namespace, revision, clock, log: log.child("tls") });
  closers.push(() => serving.stop());
  const bound = followBoundObjects({ client, clock, log: log.child("tokens"), pods: registry.pods });
  closers.push(() => bound.stop());
  const authenticator = createAuthenticator({
    trustDomain,
    tokens: createTokenReviewer({ client, audience: TOKEN_AUDIENCE, clock, bound }),
    // Most clusters have no such issuer: what verifies its tokens is loaded by those that do.
    ...(options.oidc && { oidc: (await import("./ca/oidc.ts")).createOidcVerifier(options.oidc, { clock, fetchJson }) }),
  });
  const connections = (): ConnectionView[] =>
    [...ads.connections()].filter((connection): connection is typeof connection & ConnectionView => connection.node !== undefined);
  const pages = new DebugPages({
    snapshot: () => registry.current(),
    connections,
    generator,
    version: () => ads.version,
    clusterId: options.clusterId,
    rotation: () => rotation.status(),
    changes: (key) => ads.distribution.changes(key),
    push: () => pushAll(ads),
  });
  const ads = new AdsServer({
    registry,
    generator,
    credentials: createCredentialSource({ client, clock, log: log.child("sds") }),
    debugTypes: createDebugTypes({
      connections,
      configDump: (connection) => configDump(connection, registry.current(), generator, ads.version),
      page: async (path) => {
        const [name = "", query] = path.split("?");
        return (await pages.page(name, new URLSearchParams(query))).body;
      },
      podName: options.podName,
      namespace,
    }),
    metrics: createXdsMetrics(metrics),
    clock,
    log: log.child("ads"),
  });
  closers.push(() => ads.stop());
  const keysChanged = options.jwks?.onChange(() =>
    ads.push({ kinds: new Set(["RequestAuthentication"]), keys: new Set(), endpoints: new Set(), identities: new Set() }),
  );
  if (keysChanged) closers.push(keysChanged);
  describeMesh(metrics, () => registry.current(), connections);
  describe(metrics, { registry, ads, ca, rotation, clock, started });

  const monitoring = { metrics, pages, access: createDebugAccess({ authenticator, pages, namespace }), ready: () => ready, log: log.child("http") };
  const grpc: GrpcServerOptions = {
    ads,
    authenticator,
    ca,
    serving,
    metrics,
    clock,
    log: log.child("grpc"),
    onIssued: ({ address, lifetimeMs }) => rotation.issued(registry.current().objects.podByAddress(address)?.metadata.uid, lifetimeMs),
  };
  const injection = createInjector({
    context: () => ({ ...values.current(), mesh: registry.current().mesh, proxyConfigs: registry.current().configs.ProxyConfig, nativeSidecars: true }),
    metrics,
    log: log.child("injection"),
  });
  const listen = async <T extends BoundServer>(server: T | Promise<T>): Promise<T> => {
    const bound = await server;
    servers.push(bound);
    return bound;
  };
  try {
    await Promise.all([registry.synced, values.synced, roots.current()?.synced]);
    synced = true;
    rotation.follow(() => certificateHolders(registry.current()));
    const [secure, plaintext, webhook, monitor, readiness] = await Promise.all([
      listen(serveSecure(grpc, `${hostname}:${ports.secure}`)),
      listen(servePlaintext(grpc, `${hostname}:${ports.plaintext}`)),
      listen(
        serveWebhooks(
          {
            serving,
            inject: injection,
            validate: createValidator({ validate: options.validate, metrics, log: log.child("validation") }),
            log: log.child("webhook"),
          },
          { hostname, port: ports.webhook },
        ),
      ),
      listen(serveMonitoring(monitoring, { hostname, port: ports.monitoring })),
      listen(serveReadiness(monitoring, { hostname, port: ports.readiness })),
    ]);
    const webhooks = whileLeading(leadership, () => patchWebhooks({ client, ca, revision, namespace, metrics, clock, log: log.child("webhooks") }));
    closers.push(webhooks.stop);
    closers.push(whileLeading(leadership, () => writeIngressStatus({ client, registry, namespace, log: log.child("ingress") })).stop);
    closers.push(whileLeading(leadership, () => allocateAddresses({ client, registry, clock, log: log.child("addresses") })).stop);
    ready = true;
    log.info("istiod is ready", { version: VERSION_LINE, ms: clock.now() - started });
    const warm = warmUp({ generator, snapshot: () => registry.current(), over: () => stopped || ads.connections().next().done === false }).catch(
      (thrown: unknown) => {
        // Whoever comes has made what it asks for, and is told of what cannot be made.
        log.warn("could not make ahead what proxies will ask for", { error: errorText(thrown) });
        return [];
      },
    );
    return {
      ports: { secure: secure.port, plaintext: plaintext.port, webhook: webhook.port, monitoring: monitor.port, readiness: readiness.port },
      metrics,
      warm,
      webhooksPatched: webhooks.current()?.settled ?? Promise.resolve(),
      leads: () => leadership.leads(),
      async stop(graceMs) {
        ready = false;
        stopped = true;
        for (const close of closers) close();
        await Promise.all([leadership.stop(), ...servers.map((server) => server.stop(graceMs))]);
      },
    };
  } catch (thrown) {
    for (const close of closers) close();
    await Promise.all([leadership.stop(), ...servers.map((server) => server.stop(0))]);
    throw thrown;
  }
}

/** As if everything had changed. Answers how many proxies are connected. */
function pushAll(ads: AdsServer): number {
  ads.push({ kinds: new Set(REGISTRY_KINDS), keys: new Set(), endpoints: new Set(), identities: new Set() });
  return [...ads.connections()].length;
}

/** Whose certificates may be of an older root: pods with a proxy, and workloads outside, of which nobody knows when they renew. */
function* certificateHolders({ objects }: MeshSnapshot): Generator<Holder> {
  for (const { metadata, spec, status } of objects.list("Pod") as readonly Pod[]) {
    const ended = status?.phase === "Succeeded" || status?.phase === "Failed";
    const hasProxy = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some(({ name }) => name === "istio-proxy");
    if (hasProxy && !ended) yield { key: metadata.uid ?? "", name: `${metadata.namespace}/${metadata.name}` };
  }
  for (const { metadata } of objects.list("WorkloadEntry"))
    yield { key: `WorkloadEntry/${metadata.namespace}/${metadata.name}`, name: `${metadata.namespace}/${metadata.name}` };
}

async function readTrustDomain({ client, namespace, revision }: IstiodOptions): Promise<string> {
  const configMap = await client.find<ConfigMap>(CONFIG_MAPS, `istio${suffixOf(revision)}`, namespace);
  return parseMeshConfig(configMap?.data?.["mesh"] ?? "").trustDomain;
}

const suffixOf = (revision: string): string => (revision === "default" ? "" : `-${revision}`);

/** The injection values of the installation, as they are now. */
function watchValues({ client, namespace, revision, clock, log }: IstiodOptions): {
  current(): Pick<InjectionContext, "values" | "templates">;
  synced: Promise<void>;
  stop(): void;
} {
  const name = `istio-sidecar-injector${suffixOf(revision)}`;
  let current: Pick<InjectionContext, "values" | "templates"> = { values: defaultValues() };
  const informer = createInformer<ConfigMap>(client, CONFIG_MAPS, { namespace, fieldSelector: `metadata.name=${name}`, log, clock });
  informer.onChange(({ type, object }) => {
    if (type === "DELETED") return;
    try {
      const { values = "{}", config = "" } = object.data ?? {};
      current = { values: parseValues(values), templates: parseTemplates(values, config) };
    } catch (cause) {
      log.error("the values for injection cannot be read; the last ones stay in force", {
        configmap: name,
        error: cause instanceof Error ? cause : String(cause),
      });
    }
  });
  return { current: () => current, synced: informer.synced, stop: () => informer.stop() };
}

/** Gauges that are read when somebody scrapes. */
function describe(
  metrics: MetricsRegistry,
  {
    registry,
    ads,
    ca,
    rotation,
    clock,
    started,
  }: { registry: Registry; ads: AdsServer; ca: CertificateAuthority; rotation: RootRotation; clock: Clock; started: number },
): void {
  metrics.gauge("istio_build", "Istio component build info").set(1, { component: "pilot", tag: VERSION_LINE });
  metrics.gauge("pilot_info", "Pilot version and build information.").set(1, { version: VERSION_LINE });
  metrics.observedGauge("istiod_uptime_seconds", "Current istiod server uptime in seconds", () => [{ value: (clock.now() - started) / 1000 }]);
  metrics.observedGauge("istiod_managed_clusters", "Number of clusters managed by istiod", () => [
    { labels: { cluster_type: "local" }, value: 1 },
    { labels: { cluster_type: "remote" }, value: 0 },
  ]);
  metrics.observedGauge("pilot_services", "Total services known to pilot.", () => [{ value: registry.current().services.all.length }]);
  metrics.observedGauge("pilot_virt_services", "Total virtual services known to pilot.", () => [{ value: registry.current().configs.VirtualService.length }]);
  metrics.observedGauge("pilot_xds", "Number of endpoints connected to this pilot using XDS.", () => {
    const byVersion = new Map<string, number>();
    for (const { node } of ads.connections()) if (node) byVersion.set(node.istioVersion, (byVersion.get(node.istioVersion) ?? 0) + 1);
    return [...byVersion].map(([version, value]) => ({ labels: { version }, value }));
  });
  metrics.observedGauge("citadel_server_root_cert_expiry_timestamp", "The unix timestamp, in seconds, when the root cert will expire.", () => [
    { value: Math.floor(ca.material.certificate.notAfter / 1000) },
  ]);
  metrics.observedGauge(
    "citadel_server_root_cert_expiry_seconds",
    "The time remaining, in seconds, before the root cert will expire. A negative value indicates the cert is expired.",
    () => [{ value: (ca.material.certificate.notAfter - clock.now()) / 1000 }],
  );
  metrics.observedGauge(
    "chainmail_ca_retired_root_workloads",
    "Workloads that may still hold a certificate of a root that signs no more; it is trusted until there is none.",
    () => rotation.status().retired.map(({ fingerprint, remaining }) => ({ labels: { root: fingerprint.slice(0, 16) }, value: remaining })),
  );
  describeProcess(metrics, started);
}
