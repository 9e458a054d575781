/**
 * server carries the control plane to its clients: xDS over gRPC, the certificate service, and the HTTPS webhooks.
 * It knows who is connected and what they have, pushes what changed as soon as it changed, and serves each caller only what is its own.
 * What the resources are made of is the business of registry, policy and xds.
 */
export { AdsServer, type AdsServerOptions } from "./ads-server.ts";
export { createCredentialSource, type CredentialSource } from "./credentials.ts";
export { createDebugTypes, type DebugTypes } from "./debug-types.ts";
export { fetchJson } from "./fetch-json.ts";
export { serveSecure, servePlaintext, type BoundServer, type GrpcServerOptions } from "./grpc-server.ts";
export { createJwksFetcher, type JwksFetcher } from "./jwks-fetcher.ts";
export { createXdsMetrics } from "./metrics.ts";
export { createServingCertificate, type ServingCertificate } from "./serving-certificate.ts";
export { serveMonitoring, serveReadiness, serveWebhooks, type MonitoringOptions, type WebhookOptions } from "./http-server.ts";
export { createValidator, type IstioValidator } from "./validation.ts";
export { warmUp } from "./warm-up.ts";
export { patchWebhooks } from "./webhook-configs.ts";
