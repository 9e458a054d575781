import type { Any } from "@bufbuild/protobuf/wkt";

/** A filter of a chain: HTTP or network, by where it was asked for. */
export interface FilterConfig {
  readonly name: string;
  readonly typedConfig: Any;
  /** Types that the configuration may have which the proxy asks for by the name; `typedConfig` is empty then. */
  readonly discovered?: readonly string[];
}

export const HTTP_RBAC = "envoy.filters.http.rbac";
export const NETWORK_RBAC = "envoy.filters.network.rbac";
