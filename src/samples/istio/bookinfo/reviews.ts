import type { Handler } from "../../serve.ts";
import { addressOf, forwarded, productOf, type Environment } from "./forwarded.ts";

/** With black stars a slow rating is waited for longer: the fault injection task of Istio's documentation builds on it. */
const PATIENT_MS = 10_000;
const IMPATIENT_MS = 2_500;

const TEXTS = [
  "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
  "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.",
];

/** Two reviews; with `ENABLE_RATINGS` their stars are asked of the ratings service and painted in `STAR_COLOR`. */
export function createReviews(env: Environment, print: (line: string) => void, call: typeof fetch): Handler {
  const color = env.STAR_COLOR ?? "black";
  const rated = env.ENABLE_RATINGS === "true";

  const stars = async (id: number, request: Request): Promise<Record<string, unknown>> => {
    const url = `${addressOf("ratings", env)}/ratings/${id}`;
    try {
      const answer = await call(url, { headers: forwarded(request), signal: AbortSignal.timeout(color === "black" ? PATIENT_MS : IMPATIENT_MS) });
      if (answer.status === 200) return ((await answer.json()) as { ratings?: Record<string, unknown> }).ratings ?? {};
      print(`Error: unable to contact ${url} got status of ${answer.status}`);
    } catch (error) {
      print(`Error: unable to contact ${url} got exception ${error instanceof Error ? error.message : String(error)}`);
    }
    return {};
  };

  return async (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/health") return Response.json({ status: "Reviews is healthy" });
    const id = /^\/reviews\/[^/]+$/.test(url.pathname) ? productOf(url) : undefined;
    if (id === undefined) return new Response("Not Found\n", { status: 404 });
    const given = rated ? await stars(id, request) : {};
    const reviews = TEXTS.map((text, at) => {
      const reviewer = `Reviewer${at + 1}`;
      if (!rated) return { reviewer, text };
      const count = given[reviewer];
      return { reviewer, text, rating: typeof count === "number" ? { stars: count, color } : { error: "Ratings service is currently unavailable" } };
    });
    return Response.json({ id: String(id), podname: env.HOSTNAME ?? null, clustername: env.CLUSTER_NAME ?? "null", reviews });
  };
}
