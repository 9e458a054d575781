import { join, normalize } from "node:path";

/** Files of the web app; every other path is a page of it, which the app routes itself. */
export async function asset(path: string, webRoot: string, acceptEncoding: string): Promise<Response> {
  const name = normalize(path).replace(/^\/+/, "");
  if (name.startsWith("..") || name.includes("\0")) return notFound();
  const known = /^[\w.-]+\.(?:js|css|svg|map|png)$/.test(name) && (await Bun.file(join(webRoot, name)).exists());
  // Names of pods and policies have dots too: only what lies at the top of the app can be a file.
  if (!known && !name.includes("/") && /\.\w+$/.test(name)) return notFound();
  const file = known ? name : "index.html";
  const headers: Record<string, string> = {
    // Names of built files carry a hash of their content.
    "cache-control": known && /-[a-z0-9]{8,}\.\w+$/.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
    "content-type": known ? Bun.file(name).type : "text/html; charset=utf-8",
    vary: "accept-encoding",
  };
  const compressed = Bun.file(join(webRoot, `${file}.gz`));
  if (/\bgzip\b/.test(acceptEncoding) && (await compressed.exists())) return new Response(compressed, { headers: { ...headers, "content-encoding": "gzip" } });
  return new Response(Bun.file(join(webRoot, file)), { headers });
}

function notFound(): Response {
  return new Response("404 page not found\n", { status: 404 });
}
