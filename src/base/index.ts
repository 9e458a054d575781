/**
 * base holds the small things without a domain: errors with stable codes, a clock that tests can move, a logger; in `regex/`
 * regular expressions that cannot be made to run for ever.
 * Every room may import it and it imports no room.
 * Nothing here knows of Kubernetes, Istio or Envoy.
 */
export * from "./clock.ts";
export * from "./errors.ts";
export * from "./json-syntax.ts";
export * from "./log.ts";
export * from "./version.ts";
