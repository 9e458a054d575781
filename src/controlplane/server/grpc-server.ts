import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { parseCertificate, type Certificate } from "../../pki/index.ts";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../../proto/gen/istio/auth/ca_pb.ts";
import {
  CaError,
  DEFAULT_LIFETIME_MS,
  RateLimit,
  type Authenticator,
  type CaErrorCode,
  type Caller,
  type CertificateAuthority,
  type Credentials,
} from "../ca/index.ts";
import type { MetricsRegistry } from "../debug/metrics.ts";
import type { AdsServer } from "./ads-server.ts";
import type { XdsStream } from "./connection.ts";
import { XdsError, type XdsErrorCode } from "./errors.ts";
import { RotatingCredentials } from "./grpc-credentials.ts";
import { createGrpcMetrics, type GrpcMetrics } from "./grpc-metrics.ts";
import type { Protocol } from "./requests.ts";
import type { EncodedResponse } from "./responses.ts";
import type { ServingCertificate } from "./serving-certificate.ts";

export interface GrpcServerOptions {
  ads: AdsServer;
  authenticator: Authenticator;
  ca: CertificateAuthority;
  serving: ServingCertificate;
  metrics: MetricsRegistry;
  clock: Clock;
  log: Logger;
  /** Told of each certificate: who asked from which address, and how long it lives at most. */
  onIssued?: (issued: { readonly caller: Caller; readonly address: string; readonly lifetimeMs: number }) => void;
}

/** One port that is served. */
export interface BoundServer {
  port: number;
  /** Lets answers under way finish, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/** Istio's limits and keep-alives: a client that is gone is noticed within 40 s. */
const OPTIONS = {
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  "grpc.max_send_message_length": -1,
  "grpc.max_concurrent_streams": 100_000,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.http2.min_ping_interval_without_data_ms": 15_000,
  // Accounts of each call and stream that nobody here reads.
  "grpc.enable_channelz": 0,
};

/**
 * What one address may ask of the CA: thousands of pods behind a node's address fit, a loop without end does not. Refused
 * callers are let in more slowly, since each costs the API server a review.
 */
const REQUESTS = { burst: 4_000, perSecond: 2_000 };
const REFUSALS = { burst: 50, perSecond: 5 };
/** Peers' certificates that are kept parsed: a proxy calls twice in twelve hours, a tool often. */
const MAX_PEERS = 512;

const raw = (path: string, stream: boolean): ServiceDefinition[string] => ({
  path,
  requestStream: stream,
  responseStream: stream,
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
});
/** grpc-js takes a response's size and copies it behind its own header: it need not be in one piece before. */
const inParts = (method: ServiceDefinition[string]): ServiceDefinition[string] => ({
  ...method,
  responseSerialize: (response: EncodedResponse) => response as unknown as Buffer,
});
const ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const ADS_SERVICE: ServiceDefinition = {
  sotw: inParts(raw(`${ADS}/StreamAggregatedResources`, true)),
  delta: inParts(raw(`${ADS}/DeltaAggregatedResources`, true)),
};
const CA_SERVICE: ServiceDefinition = { createCertificate: raw("/istio.v1.auth.IstioCertificateService/CreateCertificate", false) };

/** 15012: xDS and the CA over TLS; every caller is authenticated. */
export async function serveSecure(options: GrpcServerOptions, address: string): Promise<BoundServer> {
  const server = new Server(OPTIONS);
  const authenticate = guarded(options);
  const measure = createGrpcMetrics(options.metrics, options.clock);
  server.addService(ADS_SERVICE, adsHandlers(options, authenticate, measure));
  server.addService(CA_SERVICE, { createCertificate: certificateHandler(options, authenticate, measure) });
  return bind(server, address, new RotatingCredentials(options.serving));
}

/** 15010: xDS in plaintext, without the CA and without anything secret. */
export async function servePlaintext(options: Pick<GrpcServerOptions, "ads" | "metrics" | "clock" | "log">, address: string): Promise<BoundServer> {
  const server = new Server(OPTIONS);
  server.addService(
    ADS_SERVICE,
    adsHandlers(options, () => Promise.resolve(undefined), createGrpcMetrics(options.metrics, options.clock)),
  );
  return bind(server, address, ServerCredentials.createInsecure());
}

type Stream = ServerDuplexStream<Buffer, EncodedResponse>;
type Call = Pick<Stream, "metadata" | "getAuthContext" | "getPeer">;

/** Authentication that does not let one address keep the API server busy with tokens that are refused. */
function guarded({ authenticator, ca, clock }: Pick<GrpcServerOptions, "authenticator" | "ca" | "clock">): (call: Call) => Promise<Caller> {
  const refusals = new RateLimit({ ...REFUSALS, clock });
  const known = new Map<string, Certificate>();
  return async (call) => {
    const address = addressOf(call);
    if (refusals.exhausted(address)) throw new CaError("CA_RATE_LIMITED", "too many refused requests from this address");
    try {
      return await authenticator.authenticate(credentialsOf(call, ca, known));
    } catch (thrown) {
      refusals.take(address);
      throw thrown;
    }
  };
}

function adsHandlers(options: Pick<GrpcServerOptions, "ads" | "log">, authenticate: (call: Call) => Promise<Caller | undefined>, measure: GrpcMetrics) {
  const handle = (protocol: Protocol) => (call: Stream) => {
    const counts = measure(`${ADS}/${protocol === "sotw" ? "Stream" : "Delta"}AggregatedResources`, "bidi_stream");
    // Nothing is read before the caller is known.
    call.pause();
    let ended = false;
    /** Whoever waits for the peer to read on; called too when there is nothing more to wait for. */
    let proceed = (): void => {};
    const stream: XdsStream = {
      write(message) {
        if (ended) return Promise.reject(new XdsError("XDS_UNAVAILABLE", "the client is gone"));
        counts.sent();
        if (call.write(message)) return Promise.resolve();
        return new Promise((resolve) => {
          proceed = resolve;
        });
      },
      pause: () => void call.pause(),
      resume: () => void call.resume(),
      end: (error) => {
        if (ended) return;
        ended = true;
        counts.handled(error ? XDS_STATUS[error.code] : status.OK);
        if (error) call.emit("error", grpcError(XDS_STATUS[error.code], error.message));
        else call.end();
      },
    };
    // A stream that is reset raises an error nobody else waits for; its end is handled below.
    call.on("error", (error: Error) => options.log.debug("ADS stream error", { error: errorText(error) }));
    authenticate(call).then(
      (caller) => {
        if (call.cancelled) return;
        const connection = options.ads.accept(stream, protocol, caller, call.getPeer());
        const close = (code: number): void => {
          ended = true;
          counts.handled(code);
          connection.closed();
          proceed();
        };
        call.on("drain", () => proceed());
        call.on("cancelled", () => close(status.CANCELLED));
        call.on("end", () => {
          close(status.OK);
          call.end();
        });
        call.on("data", (message: Buffer) => {
          counts.received();
          connection.receive(message);
        });
        call.resume();
      },
      (thrown: unknown) => {
        options.log.warn("ADS: refused a caller", { address: call.getPeer(), error: reasonOf(thrown) });
        stream.end(new XdsError("XDS_UNAUTHENTICATED", "authentication failure", { cause: thrown }));
      },
    );
  };
  return { sotw: handle("sotw"), delta: handle("delta") };
}

function certificateHandler(options: GrpcServerOptions, authenticate: (call: Call) => Promise<Caller>, measure: GrpcMetrics) {
  const { ca, metrics, clock, log } = options;
  const limit = new RateLimit({ ...REQUESTS, clock });
  const requests = metrics.counter("citadel_server_csr_count", "The number of CSRs received by Citadel server.");
  const refusals = metrics.counter("citadel_server_authentication_failure_count", "The number of authentication failures.");
  const parseFailures = metrics.counter("citadel_server_csr_parsing_err_count", "The number of errors occurred when parsing the CSR.");
  const signFailures = metrics.counter("citadel_server_csr_sign_err_count", "The number of errors occurred when signing the CSR.");
  const issued = metrics.counter("citadel_server_success_cert_issuance_count", "The number of certificates issuances that have succeeded.");
  const answer = async (call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer> => {
    requests.add();
    if (!limit.take(addressOf(call))) throw new CaError("CA_RATE_LIMITED", "too many certificate requests from this address");
    const caller = await authenticate(call);
    const request = fromBinary(IstioCertificateRequestSchema, call.request);
    if (request.metadata?.["ImpersonatedIdentity"] !== undefined) {
      throw new CaError("CA_UNAUTHENTICATED", "impersonation not allowed, as node authorizer is not configured");
    }
    const certChain = ca.signRequest(request.csr, caller.spiffe, Number(request.validityDuration) * 1000);
    issued.add();
    options.onIssued?.({ caller, address: addressOf(call), lifetimeMs: Number(request.validityDuration) * 1000 || DEFAULT_LIFETIME_MS });
    log.debug("signed a workload certificate", { identity: caller.spiffe, by: caller.source });
    return Buffer.from(toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain })));
  };
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const counts = measure("/istio.v1.auth.IstioCertificateService/CreateCertificate", "unary");
    counts.received();
    answer(call).then(
      (response) => {
        counts.sent();
        counts.handled(status.OK);
        callback(null, response);
      },
      (thrown: unknown) => {
        const code = thrown instanceof CaError ? thrown.code : "CA_SIGNING_FAILED";
        if (code === "CA_UNAUTHENTICATED") refusals.add();
        else if (code === "CA_CSR_INVALID") parseFailures.add();
        else signFailures.add({ error: code });
        log.warn("refused a certificate request", { address: call.getPeer(), code, error: reasonOf(thrown) });
        counts.handled(CA_STATUS[code]);
        callback(grpcError(CA_STATUS[code], thrown instanceof CaError ? thrown.message : "the request cannot be answered"));
      },
    );
  };
}

/** Only what TLS has verified and nobody has revoked: grpc-js gives a certificate for authorized peers alone. */
function credentialsOf(call: Call, ca: CertificateAuthority, known: Map<string, Certificate>): Credentials {
  const peer = call.getAuthContext()?.sslPeerCertificate;
  let certificate = peer && known.get(peer.fingerprint256);
  if (peer && !certificate) {
    certificate = parseCertificate(new Uint8Array(peer.raw));
    if (known.size >= MAX_PEERS) known.delete(known.keys().next().value ?? "");
    known.set(peer.fingerprint256, certificate);
  }
  const authorization = call.metadata.get("authorization")[0];
  return { verifiedUris: certificate && !ca.isRevoked(certificate) ? certificate.uris : [], authorization: authorization?.toString() };
}

/** The peer's IP address, without its port. */
function addressOf(call: Pick<Call, "getPeer">): string {
  const peer = call.getPeer();
  return peer.slice(0, peer.lastIndexOf(":"));
}

const XDS_STATUS: Record<XdsErrorCode, number> = {
  XDS_UNAUTHENTICATED: status.UNAUTHENTICATED,
  XDS_PERMISSION_DENIED: status.PERMISSION_DENIED,
  XDS_INVALID_REQUEST: status.INVALID_ARGUMENT,
  XDS_UNAVAILABLE: status.UNAVAILABLE,
};

const CA_STATUS: Record<CaErrorCode, number> = {
  CA_UNAUTHENTICATED: status.UNAUTHENTICATED,
  CA_RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  CA_CSR_INVALID: status.INVALID_ARGUMENT,
  CA_TTL_TOO_LONG: status.INVALID_ARGUMENT,
  CA_SIGNING_FAILED: status.INTERNAL,
  CA_SECRET_INCOMPLETE: status.INTERNAL,
  CA_SECRET_INVALID: status.INTERNAL,
};

function grpcError(code: number, details: string): { name: string; message: string; code: number; details: string; metadata: Metadata } {
  return { name: "Error", message: details, code, details, metadata: new Metadata() };
}

/** For the log: the cause, which the peer is not told. */
function reasonOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.cause instanceof Error ? `${thrown.message}: ${thrown.cause.message}` : errorText(thrown);
}

async function bind(server: Server, address: string, credentials: ServerCredentials): Promise<BoundServer> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    port,
    stop: (graceMs) =>
      new Promise((resolve) => {
        const force = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}
