import type { Handler } from "../../serve.ts";
import { addressOf, forwarded, type Environment } from "./forwarded.ts";
import { indexPage, productPage, type Details, type Outcome, type Reviews } from "./page.ts";

/** How long details and reviews are waited for. */
const TIMEOUT_MS = 3000;

const PRODUCTS = [
  {
    id: 0,
    title: "The Comedy of Errors",
    descriptionHtml:
      "One of <b>William Shakespeare's</b> early plays, and his shortest: two pairs of twins, one day in Ephesus, and everybody taken for somebody else.",
  },
];

/** The page that puts the others together, and the same as an API below `/api/v1/products`. */
export function createProductpage(env: Environment, call: typeof fetch): Handler {
  /** Reviews are asked twice, as Bookinfo does: with a slow service behind, the page's own patience ends before theirs. */
  const ask = async <Body>(service: "details" | "reviews" | "ratings", product: string, request: Request, user: string): Promise<Outcome<Body>> => {
    const headers = { ...forwarded(request), ...(user === "" ? {} : { "end-user": user }) };
    let status = 500;
    for (let attempt = 0; attempt < (service === "reviews" ? 2 : 1); attempt++) {
      try {
        const answer = await call(`${addressOf(service, env)}/${service}/${product}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
        status = answer.status;
        if (status === 200) return { status, body: (await answer.json()) as Body };
        await answer.arrayBuffer();
      } catch {
        // Refused or too slow: the next attempt, or what the page says of an error.
        status = 500;
      }
    }
    return { status, error: `Sorry, product ${service} are currently unavailable for this book.` };
  };
  const flood = Number(env.FLOOD_FACTOR ?? 0);

  return async (request) => {
    const url = new URL(request.url);
    const user = userOf(request);
    const back = request.headers.get("referer") ?? "/productpage";
    const [, product, part] = /^\/api\/v1\/products(?:\/(\d+))?(?:\/(reviews|ratings))?$/.exec(url.pathname) ?? [];
    switch (true) {
      case url.pathname === "/" || url.pathname === "/index.html":
        return html(indexPage());
      case url.pathname === "/health":
        return new Response("Product page is healthy");
      case url.pathname === "/login" && request.method === "POST": {
        const name = (await request.formData()).get("username");
        return new Response(undefined, {
          status: 302,
          headers: { location: back, "set-cookie": `session=${encodeURIComponent(typeof name === "string" ? name : "")}; Path=/; HttpOnly; SameSite=Lax` },
        });
      }
      case url.pathname === "/logout":
        return new Response(undefined, { status: 302, headers: { location: back, "set-cookie": "session=; Path=/; Max-Age=0" } });
      case url.pathname === "/productpage": {
        // More calls than it needs, for what limits their rate.
        await Promise.all(Array.from({ length: flood }, () => ask("reviews", "0", request, user)));
        const [details, reviews] = [await ask<Details>("details", "0", request, user), await ask<Reviews>("reviews", "0", request, user)];
        return html(productPage(PRODUCTS[0]!, details, reviews, user));
      }
      case url.pathname === "/api/v1/products":
        return Response.json(PRODUCTS);
      case product !== undefined: {
        const outcome = await ask<unknown>((part as "reviews" | "ratings" | undefined) ?? "details", product as string, request, user);
        return Response.json("error" in outcome ? { error: outcome.error } : outcome.body, { status: outcome.status });
      }
      default:
        return new Response("Not Found\n", { status: 404 });
    }
  };
}

/** Who has signed in: there is no password worth the name, as in Bookinfo. */
function userOf(request: Request): string {
  const [, name = ""] = /(?:^|;\s*)session=([^;]*)/.exec(request.headers.get("cookie") ?? "") ?? [];
  try {
    return decodeURIComponent(name);
  } catch {
    return "";
  }
}

function html(page: string): Response {
  return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
}
