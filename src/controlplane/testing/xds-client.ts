import { Client, credentials, Metadata, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryResponse,
} from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../../proto/gen/istio/auth/ca_pb.ts";

const identity = (bytes: Buffer): Buffer => bytes;
const ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

export interface TestIdentity {
  rootPem: string;
  certPem?: string;
  keyPem?: string;
  token?: string;
}

/** A gRPC client as a proxy or an agent is one, for tests. */
export class TestClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(port: number, who?: TestIdentity) {
    const channel = who
      ? credentials.createSsl(Buffer.from(who.rootPem), who.keyPem ? Buffer.from(who.keyPem) : null, who.certPem ? Buffer.from(who.certPem) : null)
      : credentials.createInsecure();
    this.#client = new Client(`localhost:${port}`, channel, {
      "grpc.ssl_target_name_override": "istiod.istio-system.svc",
      "grpc.default_authority": "istiod.istio-system.svc",
      "grpc.use_local_subchannel_pool": 1,
    });
    if (who?.token) this.#metadata.set("authorization", `Bearer ${who.token}`);
  }

  sotw(): TestStream<MessageInitShape<typeof DiscoveryRequestSchema>, DiscoveryResponse> {
    const call = this.#client.makeBidiStreamRequest(`${ADS}/StreamAggregatedResources`, identity, identity, this.#metadata);
    return new TestStream(
      call,
      (init) => toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, init)),
      (bytes) => fromBinary(DiscoveryResponseSchema, bytes),
    );
  }

  delta(): TestStream<MessageInitShape<typeof DeltaDiscoveryRequestSchema>, DeltaDiscoveryResponse> {
    const call = this.#client.makeBidiStreamRequest(`${ADS}/DeltaAggregatedResources`, identity, identity, this.#metadata);
    return new TestStream(
      call,
      (init) => toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, init)),
      (bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
    );
  }

  createCertificate(csr: string, validitySeconds = 86_400): Promise<string[]> {
    const request = Buffer.from(
      toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr, validityDuration: BigInt(validitySeconds) })),
    );
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        "/istio.v1.auth.IstioCertificateService/CreateCertificate",
        identity,
        identity,
        request,
        this.#metadata,
        { deadline: Date.now() + 3_000 },
        (error, response) => (error ? reject(error) : resolve(fromBinary(IstioCertificateResponseSchema, response ?? new Uint8Array()).certChain)),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

export class TestStream<Request, Response> {
  readonly #answers: Response[] = [];
  #waiting: ((answer: Response) => void)[] = [];
  /** Resolves with the error that ended the stream. */
  readonly failed: Promise<ServiceError>;

  constructor(
    private readonly call: ClientDuplexStream<Buffer, Buffer>,
    private readonly encode: (request: Request) => Uint8Array,
    decode: (bytes: Uint8Array) => Response,
  ) {
    call.on("data", (bytes: Buffer) => {
      const answer = decode(bytes);
      const next = this.#waiting.shift();
      if (next) next(answer);
      else this.#answers.push(answer);
    });
    this.failed = new Promise((resolve) => call.on("error", (error: ServiceError) => resolve(error)));
  }

  send(request: Request): void {
    this.call.write(Buffer.from(this.encode(request)));
  }

  /** The next answer; rejects when none comes in a second. */
  next(): Promise<Response> {
    const ready = this.#answers.shift();
    if (ready) return Promise.resolve(ready);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer within a second")), 1_000);
      this.#waiting.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  /** Whether nothing comes for a while. */
  async silent(ms = 40): Promise<boolean> {
    await Bun.sleep(ms);
    return this.#answers.length === 0;
  }

  /** Stops reading from the connection, as a proxy that is busy does. */
  pause(): void {
    this.call.pause();
  }

  resume(): void {
    this.call.resume();
  }

  end(): void {
    this.call.cancel();
  }
}
