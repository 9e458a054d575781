import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { createLogger, systemClock, type Clock } from "../../../base/index.ts";
import type { Signer } from "../../../pki/index.ts";
import { connectMarked } from "../../../linux/index.ts";
import { DataPlane } from "../../data-plane.ts";
import { makeRoot, makeWorkload } from "../certificates.ts";
import { cluster, configure, forward, httpListener, listener, tcpListener, typed } from "../plain-config.ts";
import type { CertificateSecret } from "../../types.ts";
import { TestSecrets } from "../sidecar.ts";
import { Apps } from "./apps.ts";
import type { Random } from "./random.ts";

export const CLIENT_ID = "spiffe://cluster.local/ns/a/sa/client";
export const SERVER_ID = "spiffe://cluster.local/ns/a/sa/server";
/** What clients without TLS write where only mutual TLS may pass; the number tells when. */
export const PLAINTEXT = "PLAINTEXT-";

/** Timers that run, so that a test can tell when none is left. */
class CountingClock implements Clock {
  readonly running = new Set<object>();

  now(): number {
    return systemClock.now();
  }

  after(ms: number, callback: () => void): () => void {
    const timer = {};
    this.running.add(timer);
    const cancel = systemClock.after(ms, () => {
      this.running.delete(timer);
      callback();
    });
    return () => {
      this.running.delete(timer);
      cancel();
    };
  }
}

/** Certificates of one root. */
interface Issued {
  readonly root: string;
  readonly client: CertificateSecret;
  readonly server: CertificateSecret;
}

/** Roots that are rotated through, with so many leaves each. */
const ROOTS = 3;
const LEAVES = 2;

/** A data plane of which only what could leak is kept. */
class Proxy {
  readonly clock = new CountingClock();
  readonly secrets = new TestSecrets();
  readonly faults: string[] = [];
  readonly dataPlane: DataPlane;

  constructor(id: string, random: () => number) {
    const log = createLogger("proxy", { level: "error", write: (line) => void this.faults.push(line) });
    this.dataPlane = new DataPlane({
      node: { id, cluster: "churn", metadata: {} },
      secrets: this.secrets,
      sockets: {
        listen: () => ({ hostname: "127.0.0.1", port: 0 }),
        connect: (target) => connectMarked(target.address, target.port, 0),
        originalDestination: () => undefined,
      },
      clock: this.clock,
      log,
      accessLog: () => ({ write() {} }),
      random,
      statsConfig: undefined,
    });
  }

  port(name: string): number {
    return this.dataPlane.listeners().find((each) => each.name === name && each.bound)?.bound?.port ?? 0;
  }
}

/** Two sidecars, with mutual TLS between them, the applications behind the second, and what a control plane changes. */
export class World {
  readonly client: Proxy;
  readonly server: Proxy;
  readonly apps: Apps;
  /** What must not have happened. */
  readonly violations: string[] = [];
  /** Certificates that a peer of its own shows: a good one, and one of another mesh. */
  identity!: { cert: string; key: string };
  stranger!: { cert: string; key: string };
  /** The `loose` listener's mode by epoch: plaintext written in a STRICT epoch must reach nobody. */
  readonly #strictEpochs: boolean[] = [false];
  /** Made before the first client comes: keys would take the event loop from all of them. */
  #issued!: Issued[][];
  #root = 0;
  #leaf = 0;
  #variant = 0;

  private constructor(
    private readonly random: Random,
    private readonly routeTimeout: string,
  ) {
    this.apps = new Apps((bytes) => this.#watch(bytes));
    this.client = new Proxy("sidecar~client", () => random.next());
    this.server = new Proxy("sidecar~server", () => random.next());
  }

  /** `routeTimeout`: for a request with all its retries. */
  static async start(random: Random, routeTimeout = "0.4s"): Promise<World> {
    const world = new World(random, routeTimeout);
    world.#issued = await Promise.all(Array.from({ length: ROOTS }, async () => issue(await makeRoot())));
    world.#show(world.#issued[0]?.[0]?.root as string);
    const strange = await makeRoot("elsewhere");
    const other = await makeWorkload(strange, CLIENT_ID);
    world.stranger = { cert: other.certificateChainPem, key: other.privateKeyPem };
    await world.#configureServer();
    await world.#configureClient();
    return world;
  }

  /** Now, for what a client writes in plaintext. */
  get epoch(): number {
    return this.#strictEpochs.length - 1;
  }

  /** One change of the kinds that a control plane makes. */
  async change(): Promise<void> {
    this.#variant++;
    switch (this.random.below(7)) {
      case 0:
        return this.#configureServer();
      case 1:
        return this.#configureClient();
      case 2:
        return this.#configureLoose(this.random.chance(0.5));
      case 3:
        return this.rotateLeaves();
      case 4:
        return this.rotateRoot();
      case 5: {
        // A listener that comes and goes, with what is open on it.
        const name = `extra-${this.random.below(3)}`;
        if (this.client.port(name) !== 0) this.client.dataPlane.removeListener(name);
        else await configure(this.client.dataPlane, { listeners: [this.#outbound(name)] });
        return;
      }
      case 6:
        this.client.dataPlane.removeCluster("svc-http1");
        return this.#configureClient();
    }
  }

  /** As istiod does it: trust in both first, then leaves of the new one, then no trust in the old one. Without a pause at once. */
  async rotateRoot(pause?: () => Promise<void>): Promise<void> {
    const before = this.#current.root;
    this.#root++;
    const after = this.#current.root;
    for (const proxy of [this.client, this.server]) proxy.secrets.set("ROOTCA", { trustedCaPem: before + after });
    await pause?.();
    this.#show(before + after);
    await pause?.();
    for (const proxy of [this.client, this.server]) proxy.secrets.set("ROOTCA", { trustedCaPem: after });
  }

  rotateLeaves(): void {
    this.#leaf++;
    this.#show(this.#current.root);
  }

  stop(): void {
    this.client.dataPlane.stop();
    this.server.dataPlane.stop();
    this.apps.stop();
  }

  get #current(): Issued {
    const leaves = this.#issued[this.#root % this.#issued.length] as Issued[];
    return leaves[this.#leaf % leaves.length] as Issued;
  }

  #show(trust: string): void {
    const { client, server } = this.#current;
    for (const proxy of [this.client, this.server]) proxy.secrets.set("ROOTCA", { trustedCaPem: trust });
    this.client.secrets.set("default", client);
    this.server.secrets.set("default", server);
    this.identity = { cert: client.certificateChainPem, key: client.privateKeyPem };
  }

  async #configureServer(): Promise<void> {
    const { http, tcp } = this.apps;
    const policy = {
      action: "DENY",
      policies: { [`v${this.#variant % 3}`]: { permissions: [{ urlPath: { path: { prefix: "/denied" } } }], principals: [{ any: true }] } },
    };
    const rbac: JsonObject = { name: "rbac", typedConfig: typed("envoy.extensions.filters.http.rbac.v3.RBAC", { rules: policy }) };
    const hcm = { requestHeadersTimeout: "1s", streamIdleTimeout: "3s" };
    await configure(this.server.dataPlane, {
      clusters: [cluster("app", [http.port]), cluster("tcp", [tcp.port])],
      listeners: [
        httpListener("strict-http", { hcm, filters: [rbac], routes: [forward("/", "app")], chain: { transportSocket: downstreamTls() } }),
        withTls(tcpListener("strict-tcp", "tcp"), downstreamTls()),
      ],
    });
    if (this.server.port("loose") === 0) await this.#configureLoose(false);
  }

  /** PERMISSIVE has a chain for TLS and one for the rest; STRICT only the first. */
  async #configureLoose(strict: boolean): Promise<void> {
    const chain = (match: JsonObject, transport: JsonObject): JsonValue => ({
      filterChainMatch: match,
      ...((httpListener("x", { routes: [forward("/", "app")] })["filterChains"] as JsonObject[])[0] as JsonObject),
      ...transport,
    });
    const chains = [
      chain({ transportProtocol: "tls" }, { transportSocket: downstreamTls() }),
      ...(strict ? [] : [chain({ transportProtocol: "raw_buffer" }, {})]),
    ];
    const inspector = { name: "tls", typedConfig: typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") };
    await configure(this.server.dataPlane, {
      listeners: [listener("loose", chains as JsonObject[], { listenerFilters: [inspector], listenerFiltersTimeout: "0.5s" })],
    });
    // From the moment on at which the change has been taken.
    this.#strictEpochs.push(strict);
  }

  async #configureClient(): Promise<void> {
    const gone = this.random.chance(0.3) ? [1] : [];
    // So that connections are made anew now and then.
    const maxRequestsPerConnection = 10;
    const http = this.server.port("strict-http");
    const http2: JsonObject = {
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
          explicitHttpConfig: { http2ProtocolOptions: {} },
        }),
      },
    };
    await configure(this.client.dataPlane, {
      clusters: [
        cluster("svc-http1", [http, ...gone], { maxRequestsPerConnection, transportSocket: upstreamTls(["http/1.1"]) }),
        cluster("svc-http2", [http, ...gone], { maxRequestsPerConnection, transportSocket: upstreamTls(["h2"]), ...http2 }),
        cluster("svc-tcp", [this.server.port("strict-tcp")], { transportSocket: upstreamTls([]) }),
      ],
      listeners: [this.#outbound("out-http"), tcpListener("out-tcp", "svc-tcp")],
    });
  }

  #outbound(name: string): JsonObject {
    const timeout = {
      timeout: this.routeTimeout,
      ...(this.#variant % 2 === 0 ? {} : { retryPolicy: { retryOn: "connect-failure,refused-stream,reset", numRetries: 2 } }),
    };
    const [first, second] = this.#variant % 3 === 0 ? ["svc-http2", "svc-http1"] : ["svc-http1", "svc-http2"];
    return httpListener(name, {
      hcm: { requestHeadersTimeout: "1s", streamIdleTimeout: "3s" },
      routes: [forward("/other", second as string, timeout), forward("/", first as string, timeout)],
    });
  }

  #watch(bytes: Buffer): void {
    for (let at = bytes.indexOf(PLAINTEXT); at >= 0; at = bytes.indexOf(PLAINTEXT, at + 1)) {
      const [, epoch] = /^-(strict|\d+)/.exec(bytes.toString("latin1", at + PLAINTEXT.length - 1, at + PLAINTEXT.length + 20)) ?? [];
      // It may have been on its way while the mode was another: only where STRICT was never lifted since, it must not come.
      if (epoch === "strict" || this.#strictEpochs.slice(Number(epoch)).every((strict) => strict))
        this.violations.push(`plaintext of epoch ${epoch} has reached an application under STRICT`);
    }
  }
}

async function issue(signer: Signer): Promise<Issued[]> {
  const one = async (): Promise<Issued> => ({
    root: signer.certificate.pem,
    client: await makeWorkload(signer, CLIENT_ID),
    server: await makeWorkload(signer, SERVER_ID),
  });
  return Promise.all(Array.from({ length: LEAVES }, one));
}

function sdsTls(alpn: readonly string[], san: string): JsonObject {
  return {
    alpnProtocols: [...alpn],
    tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: { ads: {} } }],
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: [{ sanType: "URI", matcher: { exact: san } }] },
      validationContextSdsSecretConfig: { name: "ROOTCA", sdsConfig: { ads: {} } },
    },
  };
}

function downstreamTls(): JsonObject {
  return {
    name: "tls",
    typedConfig: typed("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
      requireClientCertificate: true,
      commonTlsContext: sdsTls(["h2", "http/1.1"], CLIENT_ID),
    }),
  };
}

function upstreamTls(alpn: readonly string[]): JsonObject {
  return {
    name: "tls",
    typedConfig: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", { sni: "svc", commonTlsContext: sdsTls(alpn, SERVER_ID) }),
  };
}

function withTls(made: JsonObject, transportSocket: JsonObject): JsonObject {
  return { ...made, filterChains: (made["filterChains"] as JsonObject[]).map((chain) => ({ ...chain, transportSocket })) };
}
