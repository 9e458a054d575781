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

/** Resources come over the stream that everything else comes over; Envoy waits for them without a limit. */
export function adsSource(): ConfigSource {
  return { configSourceSpecifier: { case: "ads", value: {} }, initialFetchTimeout: { seconds: 0n }, resourceApiVersion: ApiVersion.V3 };
}

/** A secret that the agent serves on its Unix socket. */
export function agentSecret(name: string): SdsSecret {
  const builtin = name === WORKLOAD_CERTIFICATE || name === ROOT_CA;
  return {
    name,
    sdsConfig: {
      configSourceSpecifier: {
        case: "apiConfigSource",
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: "sds-grpc" } } }],
        },
      },
      // Files may never appear; the workload's own certificate will.
      ...(builtin && { initialFetchTimeout: { seconds: 0n } }),
      resourceApiVersion: ApiVersion.V3,
    },
  };
}

/**
 * A secret named by credentialName. It may not exist, so waiting for it ends after Envoy's time-out: the rest of the
 * listener must not wait for one certificate.
 */
export function credentialSecret(credentialName: string, ca = false): SdsSecret {
  const name = credentialName.replace(/^sds:\/\//, "") + (ca ? CA_SUFFIX : "");
  if (credentialName === BUILTIN_PREFIX) return agentSecret(ca ? ROOT_CA : WORKLOAD_CERTIFICATE);
  return { name: name.includes("://") ? name : KUBERNETES_PREFIX + name, sdsConfig: { configSourceSpecifier: { case: "ads", value: {} }, resourceApiVersion: ApiVersion.V3 } };
}

/** A certificate and key that are files in the pod; the agent reads them so that they can rotate. */
export const fileCertificate = (certificate: string, key: string): string => `file-cert:${certificate}~${key}`;
export const fileRoot = (path: string): string => `file-root:${path}`;

export function exactMatchers(names: readonly string[] | undefined): Init<typeof StringMatcherSchema>[] {
  return (names ?? []).map((value) => ({ matchPattern: { case: "exact" as const, value } }));
}
