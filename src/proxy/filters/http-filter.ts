import type { LocalReply } from "../http/local-reply.ts";
import type { HttpStream } from "../http/http-stream.ts";
import type { Route } from "../router/route-table.ts";
import type { TypedConfig } from "./typed-config.ts";
import type { Services } from "../services.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";

/** `stop`: the filter has answered, or goes on later with `stream.continueRequest()` or `continueResponse()`. */
export type FilterResult = "continue" | "stop";

/** A filter as it acts on the requests of one route. It keeps no state of a request; that lives on the stream. */
export interface HttpFilter {
  onRequest?(stream: HttpStream): FilterResult;
  onResponse?(stream: HttpStream): FilterResult;
  /** How the filter would answer a request that is under way already, if its policy refused it. */
  refuses?(stream: HttpStream): LocalReply | undefined;
  /** The request is over, whatever its end: for metrics. */
  onComplete?(stream: HttpStream): void;
  /** The client went away while this filter held the request. */
  onReset?(stream: HttpStream): void;
}

/** A configured filter of a connection manager. */
export interface HttpFilterConfig {
  /** The filter for a route, or undefined when it has nothing to do there. Called once per route. */
  forRoute(route: Route | undefined): HttpFilter | undefined;
  /** Secrets, clusters and the like to release. */
  dispose?(): void;
}

export interface HttpFilterContext {
  readonly services: Services;
  /** The filter's name in the connection manager: the key of per-route configurations. */
  readonly name: string;
  readonly direction: "inbound" | "outbound" | "unspecified";
  readonly gateway: boolean;
  /** The connection manager's statistics: a filter counts its own in them. */
  readonly stats: StatScope;
}

/** The statistics are nobody's. */
export type RouteCheckContext = Pick<HttpFilterContext, "services" | "stats">;

export interface HttpFilterFactory {
  /** Type names of `typed_config`, without prefix. TypedStruct is opened first. */
  readonly typeNames: readonly string[];
  /** Type names that a route may carry for this filter. */
  readonly routeTypeNames: readonly string[];
  /** Throws InvalidResource. */
  create(config: TypedConfig, context: HttpFilterContext): HttpFilterConfig;
  /** Reads what a route says for the filter, whole, before the route is taken. Throws InvalidResource. */
  checkRoute?(config: TypedConfig, context: RouteCheckContext): void;
}
