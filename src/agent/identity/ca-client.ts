import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ChainmailError, type Clock } from "../../base/index.ts";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../../proto/gen/istio/auth/ca_pb.ts";
import { GrpcClient, type Dial, type HeaderList } from "../../proxy/grpc/index.ts";

export interface CaClientOptions {
  readonly dial: Dial;
  readonly authority: string;
  /** Read for each request: the kubelet renews the token's file. */
  readonly metadata: () => HeaderList;
  readonly clock: Clock;
}

/** What a CA answered: the leaf, then intermediates; roots is its whole trust bundle. PEM, one certificate each text. */
export interface IssuedChain {
  readonly chain: readonly string[];
  readonly rootsPem: string;
}

/** Istio's CreateCertificate. Throws GrpcError with the server's status, or DialError. One connection a request: they are rare. */
export async function createCertificate(options: CaClientOptions, csrPem: string, ttlSeconds: number): Promise<IssuedChain> {
  const client = await GrpcClient.connect({ dial: options.dial, authority: options.authority, clock: options.clock });
  try {
    const request = create(IstioCertificateRequestSchema, { csr: csrPem, validityDuration: BigInt(Math.round(ttlSeconds)) });
    const bytes = await client.unary(METHOD, options.metadata(), toBinary(IstioCertificateRequestSchema, request), TIMEOUT_MS);
    const { certChain } = fromBinary(IstioCertificateResponseSchema, bytes);
    const rootsPem = certChain.at(-1);
    if (certChain.length < 2 || rootsPem === undefined)
      throw new ChainmailError("CA_ANSWER_INVALID", `the CA answered with ${certChain.length} certificates; a leaf and a root at least were expected`);
    return { chain: certChain.slice(0, -1), rootsPem };
  } finally {
    client.close();
  }
}

const METHOD = "istio.v1.auth.IstioCertificateService/CreateCertificate";
/** As Istio's agent: signing takes milliseconds, so a server that has not answered by then will not. */
const TIMEOUT_MS = 5_000;
