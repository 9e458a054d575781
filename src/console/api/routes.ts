import { BASIC_ROUTES } from "./basic-routes.ts";
import { GRAPH_ROUTES } from "./graph-routes.ts";
import type { Route } from "./router.ts";

/** Everything below /kiali/api. Fixed paths stand before those with names in them. */
export const ROUTES: readonly Route[] = [...GRAPH_ROUTES, ...BASIC_ROUTES];
