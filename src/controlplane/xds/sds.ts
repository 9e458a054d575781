import type { Init } from "../../proto/index.ts";
import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema } from "../../proto/gen/envoy/config/core/v3/config_source_pb.ts";
import type { SdsSecretConfigSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type { StringMatcherSchema } from "../../proto/gen/envoy/type/matcher/v3/string_pb.ts";

export type SdsSecret = Init<typeof SdsSecretConfigSchema>;
type ConfigSource = Init<typeof ConfigSourceSchema>;

/** The agent's own secrets: the workload's certificate and the mesh's root. */
export const WORKLOAD_CERTIFICATE = "default";
export const ROOT_CA = "ROOTCA";
/** Secrets of Kubernetes, which the control plane serves. */
const KUBERNETES_PREFIX = "kubernetes://";
/** Names under which the gateway's own workload certificate is asked for. */
const BUILTIN_PREFIX = "builtin://";
export const CA_SUFFIX = "-cacert";
/** What a Gateway refers to in vain: a name that no Secret has. */
const INVALID = "invalid://";
/** Secrets that come from elsewhere, where the proxy or the mesh knows a place. */
const EXTERNAL_PREFIX = "sds://";
export const EXTERNAL_SECRETS = "sds-external";

/** Resources come over the stream that everything else comes over; Envoy waits for them without a limit. */
export function adsSource(): ConfigSource {
  return { configSourceSpecifier: { case: "ads", value: {} }, initialFetchTimeout: { seconds: 0n }, resourceApiVersion: ApiVersion.V3 };
}

/** Sockets for secrets that are mounted into the proxy's pod, as its bootstrap says in the node's metadata. */
export interface SecretSockets {
  /** Serves what is named `sds://…`. */
  readonly credentialSocket: boolean;
  /** Serves what is named by files. */
  readonly fileSocket: boolean;
}

/** A server of the mesh for what is named `sds://…`. */
export interface SecretServer {
  readonly cluster: string;
  readonly hostname: string;
}

/** A secret that the agent serves on its Unix socket. */
export function agentSecret(name: string): SdsSecret {
  const secret = servedSecret(name, "sds-grpc");
  const builtin = name === WORKLOAD_CERTIFICATE || name === ROOT_CA;
  // Files may never appear; the workload's own certificate will.
  return builtin ? { name, sdsConfig: { ...secret.sdsConfig, initialFetchTimeout: { seconds: 0n } } } : secret;
}

/** A secret named by files. */
export function fileSecret(name: string, { fileSocket }: SecretSockets): SdsSecret {
  return fileSocket ? servedSecret(name, "sds-files-grpc") : agentSecret(name);
}

function servedSecret(name: string, clusterName: string, authority = "") {
  return {
    name,
    sdsConfig: {
      configSourceSpecifier: {
        case: "apiConfigSource" as const,
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ targetSpecifier: { case: "envoyGrpc" as const, value: { clusterName, authority } } }],
        },
      },
      resourceApiVersion: ApiVersion.V3,
    },
  };
}

/**
 * A secret named by credentialName. It may not exist, so waiting for it ends after Envoy's time-out: the rest of the
 * listener must not wait for one certificate.
 */
export function credentialSecret(credentialName: string, sources: SecretSockets & { readonly server?: SecretServer | undefined }, ca = false): SdsSecret {
  if (credentialName === BUILTIN_PREFIX) return agentSecret(ca ? ROOT_CA : WORKLOAD_CERTIFICATE);
  const full = credentialName + (ca ? CA_SUFFIX : "");
  const external = full.startsWith(EXTERNAL_PREFIX);
  if (full.startsWith(INVALID)) return { name: INVALID, sdsConfig: { configSourceSpecifier: { case: "ads", value: {} }, resourceApiVersion: ApiVersion.V3 } };
  if (external && sources.credentialSocket) return servedSecret(full, EXTERNAL_SECRETS);
  const name = external ? full.slice(EXTERNAL_PREFIX.length) : full;
  if (external && sources.server) return servedSecret(name, sources.server.cluster, sources.server.hostname);
  return {
    name: name.includes("://") ? name : KUBERNETES_PREFIX + name,
    sdsConfig: { configSourceSpecifier: { case: "ads", value: {} }, resourceApiVersion: ApiVersion.V3 },
  };
}

/** A certificate and key that are files in the pod; the agent reads them so that they can rotate. */
export const fileCertificate = (certificate: string, key: string): string => `file-cert:${certificate}~${key}`;
export const fileRoot = (path: string): string => `file-root:${path}`;

export function exactMatchers(names: readonly string[] | undefined): Init<typeof StringMatcherSchema>[] {
  return (names ?? []).map((value) => ({ matchPattern: { case: "exact" as const, value } }));
}
