import type { Handler } from "../../serve.ts";
import { productOf, type Environment } from "./forwarded.ts";

export interface RatingsDeps {
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds since it was started. */
  readonly uptime: () => number;
}

/** How long `v-unavailable` and `v-unhealthy` are in either state. As Bookinfo. */
const UNAVAILABLE_MS = 60_000;
const UNHEALTHY_MS = 15 * 60_000;
const DELAY_MS = 7_000;
/** What is posted is kept in memory, for the products that came last; Bookinfo itself posts a few numbers for one. */
const MAX_PRODUCTS = 1_000;
const MAX_POSTED = 16 * 1024;

/** Stars by reviewer. `SERVICE_VERSION` chooses how well it works: v1, v-faulty, v-delayed, v-unavailable, v-unhealthy. */
export function createRatings({ SERVICE_VERSION: version }: Environment, { random, sleep, uptime }: RatingsDeps): Handler {
  const posted = new Map<number, unknown>();
  const failing = (period: number): boolean => Math.floor(uptime() / period) % 2 === 1;
  const unhealthy = (): boolean => version === "v-unhealthy" && failing(UNHEALTHY_MS);
  const unavailable = (): boolean => unhealthy() || (version === "v-unavailable" && failing(UNAVAILABLE_MS)) || (version === "v-faulty" && random() <= 0.5);
  return async (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/health")
      return unhealthy() ? Response.json({ status: "Ratings is not healthy" }, { status: 500 }) : Response.json({ status: "Ratings is healthy" });
    if (!/^\/ratings(\/|$)/.test(url.pathname)) return new Response("Not Found\n", { status: 404 });
    const id = productOf(url);
    if (id === undefined) return Response.json({ error: "please provide numeric product ID" }, { status: 400 });
    if (request.method === "POST") {
      const text = await request.text();
      if (text.length > MAX_POSTED) return Response.json({ error: "ratings are too long" }, { status: 413 });
      try {
        posted.delete(id);
        posted.set(id, JSON.parse(text));
        for (const oldest of posted.keys()) if (posted.size > MAX_PRODUCTS) posted.delete(oldest);
      } catch {
        return Response.json({ error: "please provide valid ratings JSON" }, { status: 400 });
      }
    } else if (unavailable()) return Response.json({ error: "Service unavailable" }, { status: 503 });
    else if (version === "v-delayed" && random() <= 0.5) await sleep(DELAY_MS);
    return Response.json({ id, ratings: posted.get(id) ?? { Reviewer1: 5, Reviewer2: 4 } });
  };
}
