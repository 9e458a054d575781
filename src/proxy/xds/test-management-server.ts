import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DiscoveryRequest,
} from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";

/** An ADS server for tests over grpc-js: it records requests and sends what the test says. */
export class TestManagementServer {
  readonly requests: DeltaDiscoveryRequest[] = [];
  readonly sotwRequests: DiscoveryRequest[] = [];
  readonly metadata: Record<string, unknown>[] = [];
  #server = new grpc.Server();
  #calls = new Set<grpc.ServerDuplexStream<Buffer, Buffer>>();
  #waiting: { when: () => boolean; resolve: () => void }[] = [];
  #nonce = 0;
  port = 0;

  /** Plaintext without `tls`. `unary` are further methods by path. A fixed `port` lets a test restart the server at the same place. */
  static async start(
    options: {
      port?: number;
      tls?: { keyPem: string; pem: string };
      unary?: Record<string, (request: Buffer, metadata: Record<string, unknown>) => Uint8Array>;
    } = {},
  ): Promise<TestManagementServer> {
    const self = new TestManagementServer();
    const raw = (bytes: Buffer): Buffer => bytes;
    const method = (name: string) => ({
      path: `/envoy.service.discovery.v3.AggregatedDiscoveryService/${name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: raw,
      requestDeserialize: raw,
      responseSerialize: raw,
      responseDeserialize: raw,
    });
    const accept = (keep: (bytes: Buffer) => void) => (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      self.#calls.add(call);
      self.metadata.push(call.metadata.getMap());
      call.on("data", (bytes: Buffer) => {
        keep(bytes);
        self.#check();
      });
      call.on("error", () => self.#calls.delete(call));
      call.on("end", () => {
        self.#calls.delete(call);
        call.end();
      });
    };
    self.#server.addService(
      { delta: method("DeltaAggregatedResources"), sotw: method("StreamAggregatedResources") },
      {
        delta: accept((bytes) => void self.requests.push(fromBinary(DeltaDiscoveryRequestSchema, bytes))),
        sotw: accept((bytes) => void self.sotwRequests.push(fromBinary(DiscoveryRequestSchema, bytes))),
      },
    );
    for (const [path, answer] of Object.entries(options.unary ?? {})) {
      self.#server.addService(
        { [path]: { ...method(""), path: `/${path}`, requestStream: false, responseStream: false } },
        {
          [path](call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
            try {
              done(null, Buffer.from(answer(call.request, call.metadata.getMap())));
            } catch (error) {
              done({ code: grpc.status.UNAUTHENTICATED, details: String(error) });
            }
          },
        },
      );
    }
    const credentials = options.tls
      ? grpc.ServerCredentials.createSsl(null, [{ private_key: Buffer.from(options.tls.keyPem), cert_chain: Buffer.from(options.tls.pem) }])
      : grpc.ServerCredentials.createInsecure();
    self.port = await new Promise<number>((resolve, reject) =>
      self.#server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, port) => (error ? reject(error) : resolve(port))),
    );
    return self;
  }

  /** Sends to every open stream; the nonce counts up. */
  send(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): string {
    const nonce = `n${++this.#nonce}`;
    this.#write(toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, { ...response, nonce })));
    return nonce;
  }

  sendSotw(response: MessageInitShape<typeof DiscoveryResponseSchema>): string {
    const nonce = `n${++this.#nonce}`;
    this.#write(toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { ...response, nonce })));
    return nonce;
  }

  /** Resolves when the condition holds, looked at after every request. */
  until(when: () => boolean, timeoutMs = 2000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the management server waited in vain")), timeoutMs);
      this.#waiting.push({
        when,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      });
      this.#check();
    });
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #write(bytes: Uint8Array): void {
    for (const call of this.#calls) call.write(Buffer.from(bytes));
  }

  #check(): void {
    this.#waiting = this.#waiting.filter((waiter) => {
      if (!waiter.when()) return true;
      waiter.resolve();
      return false;
    });
  }
}
