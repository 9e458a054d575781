import { STATUS_CODES } from "node:http";
import { deflateSync, gzipSync } from "node:zlib";
import { json, type Handler } from "../../serve.ts";
import { describe, describeBody, headersOf, originOf, type Style } from "./echo.ts";
import { pickStatus } from "./statuses.ts";

export interface HttpbinDeps {
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Nobody waits longer for `/delay`. As httpbin. */
const MAX_DELAY_S = 10;
/** `/bytes` and `/stream` give no more: a test service must not become a load of its own. */
const MAX_BYTES = 100 * 1024;
const MAX_LINES = 100;

type Page = (context: { request: Request; url: URL; client: string; argument: string; rest: string[] }) => Response | Promise<Response>;

/** The paths of httpbin that tutorials use: requests told back, statuses, delays, redirects, authentication, encodings. */
export function createHttpbin(style: Style, { random, sleep, now }: HttpbinDeps): Handler {
  const echo: Page = async ({ request, client }) =>
    json(request.method === "GET" || request.method === "HEAD" ? describe(request, client, style) : await describeBody(request, client, style));
  const only =
    (method: string): Page =>
    (context) =>
      context.request.method === method || (method === "GET" && context.request.method === "HEAD")
        ? echo(context)
        : problem(405, `use ${method}`, { allow: method });

  const pages: Record<string, Page> = {
    "": () =>
      html(
        `<h1>httpbin</h1><ul>${Object.keys(pages)
          .filter(Boolean)
          .sort()
          .map((name) => `<li>/${name}</li>`)
          .join("")}</ul>`,
      ),
    get: only("GET"),
    post: only("POST"),
    put: only("PUT"),
    patch: only("PATCH"),
    delete: only("DELETE"),
    anything: echo,
    headers: ({ request }) => json({ headers: headersOf(request, style) }),
    ip: ({ request, client }) => json({ origin: originOf(request, client) }),
    "user-agent": ({ request }) => json({ "user-agent": request.headers.get("user-agent") ?? "" }),
    uuid: () => json({ uuid: crypto.randomUUID() }),
    hostname: () => json({ hostname: process.env.HOSTNAME ?? "" }),
    status: ({ argument }) => {
      const status = pickStatus(argument, random);
      if (status === undefined) return problem(400, "a status from 200 to 599, or several such as 200:0.9,503:0.1");
      if (status === 418) return new Response("I'm a teapot!\n", { status });
      if (status === 401) return new Response(undefined, { status, headers: { "www-authenticate": 'Basic realm="Fake Realm"' } });
      return new Response(undefined, { status, headers: status >= 301 && status <= 308 && status !== 304 ? { location: "/redirect/1" } : {} });
    },
    delay: async (context) => {
      const seconds = Number(context.argument.replace(/s$/, ""));
      if (!(seconds >= 0)) return problem(400, "a delay in seconds");
      await sleep(Math.min(seconds, MAX_DELAY_S) * 1000);
      return echo(context);
    },
    bytes: ({ argument }) => {
      const count = Number(argument);
      return Number.isInteger(count) && count >= 0 && count <= MAX_BYTES
        ? new Response(crypto.getRandomValues(new Uint8Array(count)), { headers: { "content-type": "application/octet-stream" } })
        : problem(400, `0 to ${MAX_BYTES} bytes`);
    },
    stream: ({ request, client, argument }) => {
      const lines = Math.min(Number(argument), MAX_LINES);
      if (!Number.isInteger(lines) || lines < 1) return problem(400, "a number of lines");
      const described = describe(request, client, style);
      const encoder = new TextEncoder();
      return new Response(
        new ReadableStream({
          start(controller) {
            for (let id = 0; id < lines; id++) controller.enqueue(encoder.encode(`${JSON.stringify({ id, ...described })}\n`));
            controller.close();
          },
        }),
        { headers: { "content-type": "application/json" } },
      );
    },
    redirect: ({ argument }) => {
      const left = Number(argument);
      return Number.isInteger(left) && left >= 1 ? redirect(left > 1 ? `/redirect/${left - 1}` : "/get") : problem(400, "a number of redirects");
    },
    "redirect-to": ({ url }) => redirect(url.searchParams.get("url") ?? "/get", Number(url.searchParams.get("status_code") ?? 302)),
    cookies: ({ request, url, argument }) => {
      if (argument === "set") {
        const answer = redirect("/cookies");
        for (const [name, value] of url.searchParams) answer.headers.append("set-cookie", `${name}=${value}; Path=/`);
        return answer;
      }
      const cookies = Object.fromEntries(
        (request.headers.get("cookie") ?? "")
          .split(/;\s*/)
          .filter(Boolean)
          .map((pair) => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)]),
      );
      return json(style === "go" ? cookies : { cookies });
    },
    "response-headers": ({ url }) =>
      json(Object.fromEntries([...url.searchParams.keys()].map((name) => [name, url.searchParams.getAll(name)])), 200, Object.fromEntries(url.searchParams)),
    "basic-auth": ({ request, argument, rest }) => {
      const authorized = request.headers.get("authorization") === `Basic ${btoa(`${argument}:${rest[0] ?? ""}`)}`;
      return json(
        { authenticated: authorized, authorized, user: argument },
        authorized ? 200 : 401,
        authorized ? {} : { "www-authenticate": 'Basic realm="Fake Realm"' },
      );
    },
    bearer: ({ request }) => {
      const [, token] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
      return token === undefined ? new Response(undefined, { status: 401, headers: { "www-authenticate": "Bearer" } }) : json({ authenticated: true, token });
    },
    cache: ({ request, client, argument }) => {
      if (argument !== "") return json(describe(request, client, style), 200, { "cache-control": `public, max-age=${Number(argument) || 0}` });
      const known = request.headers.has("if-modified-since") || request.headers.has("if-none-match");
      return known
        ? new Response(undefined, { status: 304 })
        : json(describe(request, client, style), 200, { etag: '"httpbin"', "last-modified": new Date(now()).toUTCString() });
    },
    gzip: ({ request, client }) => packed("gzip", gzipSync, { gzipped: true, ...describe(request, client, style) }),
    deflate: ({ request, client }) => packed("deflate", deflateSync, { deflated: true, ...describe(request, client, style) }),
    base64: ({ argument, rest }) =>
      new Response(Buffer.from(argument === "decode" ? (rest[0] ?? "") : argument, "base64").toString("utf8"), { headers: { "content-type": "text/plain" } }),
    html: () => html("<h1>httpbin</h1><p>A page in HTML.</p>"),
    json: () => json({ slideshow: { title: "Sample Slide Show", slides: [{ title: "Overview", type: "all" }] } }),
    xml: () =>
      new Response('<?xml version="1.0"?>\n<slideshow title="Sample Slide Show"><slide type="all"><title>Overview</title></slide></slideshow>\n', {
        headers: { "content-type": "application/xml" },
      }),
    "robots.txt": () => new Response("User-agent: *\nDisallow: /deny\n", { headers: { "content-type": "text/plain" } }),
    deny: () => new Response("YOU SHOULDN'T BE HERE\n", { headers: { "content-type": "text/plain" } }),
  };

  return async (request, client) => {
    const url = new URL(request.url);
    const [name = "", argument = "", ...rest] = url.pathname.slice(1).split("/").map(decoded);
    const page = Object.hasOwn(pages, name) ? pages[name] : undefined;
    const answer = page ? await page({ request, url, client: client(), argument, rest }) : problem(404, "no such page");
    // Pages in browsers on other hosts read it, as they read httpbin.
    answer.headers.set("access-control-allow-origin", request.headers.get("origin") ?? "*");
    answer.headers.set("access-control-allow-credentials", "true");
    return answer;
  };
}

function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  return json({ status_code: status, error: STATUS_CODES[status], detail }, status, headers);
}

function redirect(to: string, status = 302): Response {
  return new Response(undefined, { status: status >= 300 && status <= 308 ? status : 302, headers: { location: to } });
}

function html(body: string): Response {
  return new Response(`<!doctype html><meta charset="utf-8"><title>httpbin</title>${body}\n`, { headers: { "content-type": "text/html; charset=utf-8" } });
}

function packed(encoding: string, pack: (text: string) => Buffer, body: unknown): Response {
  return new Response(new Uint8Array(pack(JSON.stringify(body))), { headers: { "content-type": "application/json", "content-encoding": encoding } });
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
