import type { ApiRequest, ApiResponse } from "./exchange.ts";
import { respondText } from "./respond.ts";

/** Named checks, in the order in which they are told; each says whether it is passed. */
export type HealthChecks = ReadonlyMap<string, () => boolean>;

const PATH = /^\/(healthz|livez|readyz)(?:\/(.+))?$/;

/**
 * /healthz, /livez, /readyz: `ok`, or what failed; `?verbose` tells all checks, `?exclude=` leaves one out, a check's name
 * as path asks for it alone. Undefined for other paths and unknown checks.
 * https://kubernetes.io/docs/reference/using-api/health-checks/
 */
export function health(checks: HealthChecks, { query }: ApiRequest, path: string): ApiResponse | undefined {
  const [, endpoint, only] = PATH.exec(path) ?? [];
  if (!endpoint) return undefined;
  // A server that is about to stop is alive and not ready.
  const own = [...checks].filter(([name]) => name !== "shutdown" || endpoint === "readyz");
  if (only !== undefined) {
    const check = own.find(([name]) => name === only)?.[1];
    return check && (check() ? respondText(200, "ok") : respondText(500, "internal server error: not ok\n"));
  }
  const excluded = new Set(query.getAll("exclude"));
  const lines: string[] = [];
  let failed = false;
  for (const [name, check] of own) {
    if (excluded.delete(name)) lines.push(`[+]${name} excluded: ok`);
    else if (check()) lines.push(`[+]${name} ok`);
    else {
      failed = true;
      lines.push(`[-]${name} failed: reason withheld`);
    }
  }
  for (const name of excluded) lines.push(`warn: some health checks cannot be excluded: no matches for ${JSON.stringify(name)}`);
  if (failed) return respondText(500, `${lines.join("\n")}\n${endpoint} check failed\n`);
  return respondText(200, query.has("verbose") ? `${lines.join("\n")}\n${endpoint} check passed\n` : "ok");
}
