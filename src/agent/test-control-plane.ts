import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { encodePrivateKey, generateKey, issueLeaf, issueRoot, parseCsr, publicKeyDer, type Certificate } from "../pki/index.ts";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../proto/gen/istio/auth/ca_pb.ts";
import { TestManagementServer } from "../proxy/xds/test-management-server.ts";
import type { KeyObject } from "node:crypto";

/** A CA and an ADS server behind one TLS port, for tests of the agent: what istiod is on 15012. */
export class TestControlPlane {
  issued = 0;
  /** What the next certificate is for; tests turn it wrong. */
  spiffeId = "spiffe://cluster.local/ns/ns1/sa/web";
  lifetimeMs = 24 * 3_600_000;

  private constructor(
    readonly root: Certificate,
    private readonly rootKey: KeyObject,
    readonly ads: TestManagementServer,
  ) {}

  static async start(token: string): Promise<TestControlPlane> {
    const rootKey = await generateKey();
    const root = issueRoot({ key: rootKey, organization: "cluster.local", now: Date.now() - 120_000, lifetimeMs: 3650 * 86_400_000 });
    const key = await generateKey();
    const server = issueLeaf({
      signer: { certificate: root, key: rootKey },
      spki: publicKeyDer(key),
      names: { dnsNames: ["localhost"] },
      now: Date.now(),
      lifetimeMs: 86_400_000,
    });
    const holder: { self?: TestControlPlane } = {};
    const ads = await TestManagementServer.start({
      tls: { pem: server.pem, keyPem: encodePrivateKey(key) },
      unary: {
        "istio.v1.auth.IstioCertificateService/CreateCertificate": (request, metadata) => {
          if (metadata.authorization !== `Bearer ${token}`) throw new Error("request authenticate failure");
          if (!holder.self) throw new Error("not started");
          return holder.self.#sign(request);
        },
      },
    });
    return (holder.self = new TestControlPlane(root, rootKey, ads));
  }

  #sign(bytes: Uint8Array): Uint8Array {
    const { csr } = fromBinary(IstioCertificateRequestSchema, bytes);
    this.issued++;
    const leaf = issueLeaf({
      signer: { certificate: this.root, key: this.rootKey },
      spki: parseCsr(csr).spki,
      names: { uris: [this.spiffeId] },
      now: Date.now(),
      lifetimeMs: this.lifetimeMs,
    });
    return toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain: [leaf.pem, this.root.pem] }));
  }
}
