import { APP_ROUTES } from "./app-routes.ts";
import { BASIC_ROUTES } from "./basic-routes.ts";
import { CERTIFICATE_ROUTES } from "./certificate-history.ts";
import { CONFIG_ROUTES } from "./config-routes.ts";
import { GRAPH_ROUTES } from "./graph-routes.ts";
import { GUIDE_ROUTES } from "./guide-routes.ts";
import { LOG_ROUTES } from "./log-routes.ts";
import { MESH_ROUTES } from "./mesh-routes.ts";
import { METRICS_ROUTES } from "./metrics-routes.ts";
import { OVERVIEW_ROUTES } from "./overview-routes.ts";
import { PROXY_ROUTES } from "./proxy-config.ts";
import type { Route } from "./router.ts";
import { SECURITY_ROUTES } from "./security-routes.ts";
import { SERVICE_ROUTES } from "./service-routes.ts";
import { SCHEMA_ROUTES } from "./schema-routes.ts";
import { TRACE_ROUTES } from "./trace-routes.ts";
import { WORKLOAD_ROUTES } from "./workload-routes.ts";

/** Everything below /kiali/api. Fixed paths stand before those with names in them. */
export const ROUTES: readonly Route[] = [
  ...GRAPH_ROUTES,
  ...BASIC_ROUTES,
  ...CERTIFICATE_ROUTES,
  ...OVERVIEW_ROUTES,
  ...MESH_ROUTES,
  ...CONFIG_ROUTES,
  ...SECURITY_ROUTES,
  ...METRICS_ROUTES,
  ...WORKLOAD_ROUTES,
  ...SERVICE_ROUTES,
  ...APP_ROUTES,
  ...LOG_ROUTES,
  ...TRACE_ROUTES,
  ...SCHEMA_ROUTES,
  ...PROXY_ROUTES,
  ...GUIDE_ROUTES,
];
