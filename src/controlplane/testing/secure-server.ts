import { createLogger, systemClock, type Clock } from "../../base/index.ts";
import { encodePrivateKey, generateKey, publicKeyDer } from "../../pki/index.ts";
import { createAuthenticator, createTokenReviewer, openCa, type CertificateAuthority } from "../ca/index.ts";
import { MetricsRegistry } from "../debug/metrics.ts";
import type { ConnectionView } from "../debug/views.ts";
import { AdsServer } from "../server/ads-server.ts";
import { createCredentialSource } from "../server/credentials.ts";
import { createDebugTypes } from "../server/debug-types.ts";
import { servePlaintext, serveSecure, type BoundServer } from "../server/grpc-server.ts";
import { createXdsMetrics } from "../server/metrics.ts";
import { createServingCertificate } from "../server/serving-certificate.ts";
import { FakeApi } from "./fake-api.ts";
import { FakeMesh } from "./fake-mesh.ts";
import { TestClient, type TestIdentity } from "./xds-client.ts";

/** Both gRPC ports of an istiod on an API server in memory, for tests. Tokens are what `accounts` maps to user names. */
export class SecureServer {
  readonly mesh = new FakeMesh();
  readonly metrics = new MetricsRegistry();
  readonly #closers: (() => void)[] = [];

  private constructor(
    readonly ca: CertificateAuthority,
    private readonly closeCa: () => void,
    readonly api: FakeApi,
  ) {}

  secure!: BoundServer;
  plain!: BoundServer;
  ads!: AdsServer;

  static async start(accounts: Record<string, string>, clock: Clock = systemClock): Promise<SecureServer> {
    const log = createLogger("test", { level: "none" });
    const api = new FakeApi();
    api.review("tokenreviews", (review) => {
      const { token, audiences } = review.spec as { token: string; audiences: string[] };
      const username = Object.hasOwn(accounts, token) ? accounts[token] : undefined;
      return { ...review, status: username ? { authenticated: true, audiences, user: { username } } : { authenticated: false } };
    });
    api.review("subjectaccessreviews", (review) => ({ ...review, status: { allowed: JSON.stringify(review.spec).includes("istio-ingressgateway") } }));
    const { ca, stop } = await openCa({ client: api.client, namespace: "istio-system", trustDomain: "cluster.local", clock, log });
    const self = new SecureServer(ca, stop, api);
    const serving = await createServingCertificate({ ca, namespace: "istio-system", clock, log });
    self.#closers.push(() => serving.stop());
    self.ads = new AdsServer({
      registry: self.mesh.registry,
      generator: self.mesh.generator,
      credentials: createCredentialSource({ client: api.client, clock, log }),
      debugTypes: createDebugTypes({
        connections: () => self.ads.connections() as Iterable<ConnectionView>,
        configDump: () => [],
        page: async (path) => `page ${path}`,
        podName: "istiod-1",
        namespace: "istio-system",
      }),
      metrics: createXdsMetrics(self.metrics),
      clock,
      log,
    });
    const tokens = createTokenReviewer({ client: api.client, audience: "istio-ca", clock });
    const options = {
      ads: self.ads,
      ca,
      serving,
      metrics: self.metrics,
      clock,
      log,
      authenticator: createAuthenticator({ trustDomain: () => "cluster.local", tokens }),
    };
    self.secure = await serveSecure(options, "127.0.0.1:0");
    self.plain = await servePlaintext(options, "127.0.0.1:0");
    return self;
  }

  client(port: number, who?: TestIdentity): TestClient {
    const made = new TestClient(port, who);
    this.#closers.push(() => made.close());
    return made;
  }

  /** A client of the secure port by a token. */
  withToken(token: string): TestClient {
    return this.client(this.secure.port, { rootPem: this.ca.material.rootBundlePem, token });
  }

  /** A client's certificate of our own CA. */
  async workload(spiffe = "spiffe://cluster.local/ns/istioinaction/sa/web-api"): Promise<TestIdentity> {
    const key = await generateKey();
    const certificate = this.ca.issue(publicKeyDer(key), { uris: [spiffe] }, 3_600_000);
    return { rootPem: this.ca.material.rootBundlePem, certPem: certificate.pem, keyPem: encodePrivateKey(key) };
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) close();
    this.closeCa();
    await Promise.all([this.secure.stop(10), this.plain.stop(10)]);
  }
}
