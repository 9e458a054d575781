import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { packAny, XDS_TYPES } from "../../proto/index.ts";
import { serveGrpcUnix, type GrpcCall, type GrpcCallHandlers } from "../../proxy/grpc/index.ts";
import type { Secret } from "../../proxy/types.ts";
import type { SecretStore } from "../../proxy/xds/index.ts";

const SERVICE = "envoy.service.secret.v3.SecretDiscoveryService";

/**
 * Serves the pod's certificate and roots over SDS on a Unix socket, as Istio's agent does, so that a real Envoy can stand in
 * our proxy's place. Our own proxy takes the secrets from the store without it.
 */
export function serveSds(path: string, secrets: SecretStore): { stop: () => void } {
  return serveGrpcUnix(path, (call) => {
    switch (call.method) {
      case `${SERVICE}/StreamSecrets`:
        return sotwStream(call, secrets);
      case `${SERVICE}/DeltaSecrets`:
        return deltaStream(call, secrets);
      default:
        return undefined;
    }
  });
}

function sotwStream(call: GrpcCall, secrets: SecretStore): GrpcCallHandlers {
  const watched = new Watched(secrets, (name, any, version) => {
    call.send(
      toBinary(
        DiscoveryResponseSchema,
        create(DiscoveryResponseSchema, { typeUrl: XDS_TYPES.SDS, versionInfo: version, nonce: nonce(), resources: any ? [any] : [] }),
      ),
    );
  });
  return {
    message(bytes) {
      const request = fromBinary(DiscoveryRequestSchema, bytes);
      if (request.errorDetail) return;
      watched.set(request.resourceNames);
    },
    halfClosed: () => call.end({ code: "OK", message: "" }),
    closed: () => watched.stop(),
  };
}

function deltaStream(call: GrpcCall, secrets: SecretStore): GrpcCallHandlers {
  const names = new Set<string>();
  const watched = new Watched(secrets, (name, resource, version) => {
    const body = resource ? { resources: [{ name, version, resource }] } : { removedResources: [name] };
    call.send(
      toBinary(
        DeltaDiscoveryResponseSchema,
        create(DeltaDiscoveryResponseSchema, { typeUrl: XDS_TYPES.SDS, systemVersionInfo: version, nonce: nonce(), ...body }),
      ),
    );
  });
  return {
    message(bytes) {
      const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
      for (const name of request.resourceNamesSubscribe) names.add(name);
      for (const name of request.resourceNamesUnsubscribe) names.delete(name);
      watched.set([...names]);
    },
    halfClosed: () => call.end({ code: "OK", message: "" }),
    closed: () => watched.stop(),
  };
}

/** The names that one stream asked for: each is sent when it is there and whenever it changes. */
class Watched {
  readonly #stops = new Map<string, () => void>();

  constructor(
    private readonly secrets: SecretStore,
    private readonly send: (name: string, any: Any | undefined, version: string) => void,
  ) {}

  set(names: readonly string[]): void {
    const wanted = new Set(names);
    for (const [name, stop] of this.#stops) {
      if (wanted.has(name)) continue;
      stop();
      this.#stops.delete(name);
    }
    for (const name of wanted) {
      if (this.#stops.has(name)) continue;
      this.#stops.set(
        name,
        this.secrets.watch(name, () => this.#sendNow(name)),
      );
      if (this.secrets.get(name)) this.#sendNow(name);
    }
  }

  stop(): void {
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
  }

  #sendNow(name: string): void {
    const entry = this.secrets.list().find((candidate) => candidate.name === name);
    this.send(name, entry && secretAny(name, entry.secret), entry?.version ?? "");
  }
}

function secretAny(name: string, secret: Secret): Any {
  const bytes = (pem: string) => ({ specifier: { case: "inlineBytes" as const, value: new TextEncoder().encode(pem) } });
  return packAny(SecretSchema, {
    name,
    type:
      "trustedCaPem" in secret
        ? { case: "validationContext", value: { trustedCa: bytes(secret.trustedCaPem), ...(secret.crlPem !== undefined && { crl: bytes(secret.crlPem) }) } }
        : { case: "tlsCertificate", value: { certificateChain: bytes(secret.certificateChainPem), privateKey: bytes(secret.privateKeyPem) } },
  });
}

function nonce(): string {
  return crypto.randomUUID();
}
