import type { Route } from "../router/route-table.ts";
import type { HeaderMap } from "./header-map.ts";

const DECORATOR = "x-envoy-decorator-operation";

/**
 * Decorator headers tell the next proxy what this operation is called (Envoy's tracing, even unsampled). Returns what the
 * response has to tell the proxy before.
 */
export function decorateRequest(headers: HeaderMap, route: Route | undefined, tracing: "ingress" | "egress" | undefined): string | undefined {
  if (tracing === undefined) return undefined;
  const propagated = route?.decorator?.propagate ? route.decorator.operation : undefined;
  if (tracing === "ingress") {
    if (!headers.has(DECORATOR)) return propagated;
    headers.remove(DECORATOR);
  } else if (propagated !== undefined) headers.set(DECORATOR, propagated);
  return undefined;
}

export function decorateResponse(headers: HeaderMap, operation: string | undefined, tracing: "ingress" | "egress" | undefined): void {
  if (operation !== undefined) headers.set(DECORATOR, operation);
  else if (tracing === "egress") headers.remove(DECORATOR);
}
