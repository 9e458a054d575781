import type * as BasicAuth from "./basic-auth.ts";
import type * as BufferRoom from "./buffer.ts";
import type * as CompressorRoom from "./compressor/compressor.ts";
import type * as Csrf from "./csrf.ts";
import type * as HeaderMutation from "./header-mutation.ts";
import type * as HeaderToMetadata from "./header-to-metadata.ts";
import type * as HealthCheck from "./health-check.ts";
import type * as SetMetadata from "./set-metadata.ts";
import type { HttpFilterFactory } from "./http-filter.ts";

const F = "envoy.extensions.filters.http.";

/** Filters that few configurations have, by the types of their configurations: each is loaded with the first that does. */
const RARE: Readonly<Record<string, () => HttpFilterFactory>> = {
  [`${F}basic_auth.v3.BasicAuth`]: () => (require("./basic-auth.ts") as typeof BasicAuth).basicAuthFilter,
  [`${F}basic_auth.v3.BasicAuthPerRoute`]: () => (require("./basic-auth.ts") as typeof BasicAuth).basicAuthFilter,
  [`${F}buffer.v3.Buffer`]: () => (require("./buffer.ts") as typeof BufferRoom).bufferFilter,
  [`${F}buffer.v3.BufferPerRoute`]: () => (require("./buffer.ts") as typeof BufferRoom).bufferFilter,
  [`${F}compressor.v3.Compressor`]: () => (require("./compressor/compressor.ts") as typeof CompressorRoom).compressorFilter,
  [`${F}compressor.v3.CompressorPerRoute`]: () => (require("./compressor/compressor.ts") as typeof CompressorRoom).compressorFilter,
  [`${F}csrf.v3.CsrfPolicy`]: () => (require("./csrf.ts") as typeof Csrf).csrfFilter,
  [`${F}header_mutation.v3.HeaderMutation`]: () => (require("./header-mutation.ts") as typeof HeaderMutation).headerMutationFilter,
  [`${F}header_mutation.v3.HeaderMutationPerRoute`]: () => (require("./header-mutation.ts") as typeof HeaderMutation).headerMutationFilter,
  [`${F}header_to_metadata.v3.Config`]: () => (require("./header-to-metadata.ts") as typeof HeaderToMetadata).headerToMetadataFilter,
  [`${F}health_check.v3.HealthCheck`]: () => (require("./health-check.ts") as typeof HealthCheck).healthCheckFilter,
  [`${F}set_metadata.v3.Config`]: () => (require("./set-metadata.ts") as typeof SetMetadata).setMetadataFilter,
};

/** The filter that takes a configuration (its own, or a route's) of this type, if it is one of these. */
export function rareFactory(typeName: string): HttpFilterFactory | undefined {
  return RARE[typeName]?.();
}
