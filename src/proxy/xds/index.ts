/**
 * xds is the proxy's side of Envoy's discovery protocol: it keeps a stream to the control plane and the data plane as told.
 * A bad resource becomes a NACK with its name and reason while its last good version stays in force.
 * Without a control plane the proxy goes on with what it has.
 */
export { AdsClient, type AdsStatus } from "./ads-client.ts";
export { ConfigApplier, resourceName } from "./apply.ts";
export { Backoff } from "./backoff.ts";
export { DeltaProtocol } from "./delta.ts";
export { readSecret } from "./read-secret.ts";
export { SecretStore, type StoredSecret } from "./secrets.ts";
export { SotwProtocol } from "./sotw.ts";
export { XdsStore, type StoredResource } from "./store.ts";
