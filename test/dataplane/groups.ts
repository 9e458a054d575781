import type { Group } from "./row.ts";
import { accessLog } from "./rows/access-log.ts";
import { authorization } from "./rows/authorization.ts";
import { failures } from "./rows/failures.ts";
import { filters } from "./rows/filters.ts";
import { findings } from "./rows/findings.ts";
import { headers } from "./rows/headers.ts";
import { http1 } from "./rows/http1.ts";
import { http2 } from "./rows/http2.ts";
import { listeners } from "./rows/listeners.ts";
import { managers } from "./rows/managers.ts";
import { matchers } from "./rows/matchers.ts";
import { moreFilters } from "./rows/more-filters.ts";
import { routeActions } from "./rows/route-actions.ts";
import { routeMatching } from "./rows/route-matching.ts";
import { sessionRows } from "./rows/sessions.ts";
import { tlsRows } from "./rows/tls.ts";
import { upstreams } from "./rows/upstreams.ts";

/** All rows, by feature. */
export const GROUPS: readonly Group[] = [
  routeMatching,
  routeActions,
  http1,
  headers,
  failures,
  tlsRows,
  upstreams,
  listeners,
  filters,
  authorization,
  moreFilters,
  matchers,
  http2,
  accessLog,
  managers,
  findings,
  sessionRows,
];
