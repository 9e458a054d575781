import type { Handler } from "../../serve.ts";
import { productOf } from "./forwarded.ts";

/** What there is to know of a book, the same of each. */
export function createDetails(): Handler {
  return (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/health") return Response.json({ status: "Details is healthy" });
    if (!/^\/details(\/|$)/.test(url.pathname)) return new Response("Not Found\n", { status: 404 });
    const id = productOf(url);
    if (id === undefined) return Response.json({ error: "please provide numeric product id" }, { status: 400 });
    return Response.json({
      id,
      author: "William Shakespeare",
      year: 1595,
      type: "paperback",
      pages: 200,
      publisher: "PublisherA",
      language: "English",
      "ISBN-10": "1234567890",
      "ISBN-13": "123-1234567890",
    });
  };
}
