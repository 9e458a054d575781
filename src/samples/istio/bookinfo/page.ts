export type Outcome<Body> = { readonly status: number; readonly body: Body } | { readonly status: number; readonly error: string };

export type Details = Readonly<Record<string, unknown>>;

export interface Reviews {
  readonly podname?: string | null;
  readonly reviews: readonly {
    readonly reviewer: string;
    readonly text: string;
    readonly rating?: { readonly stars: number; readonly color: string } | { readonly error: string };
  }[];
}

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}h1{font-size:2rem}" +
  "table{border-collapse:collapse}td,th{border:1px solid #d0d7de;padding:.3rem .7rem;text-align:left}blockquote{margin:1.5rem 0;border-left:4px solid #d0d7de;padding-left:1rem}" +
  "small{color:#57606a}nav{display:flex;justify-content:space-between;border-bottom:1px solid #d0d7de;padding-bottom:.5rem}.error{color:#cf222e}form{display:inline}";

export function indexPage(): string {
  return page(
    "Bookinfo",
    '<h1>Bookinfo</h1><p>A bookshop of four services: productpage asks details and reviews, and reviews ask ratings.</p><ul><li><a href="/productpage?u=normal">Normal user</a></li><li><a href="/productpage?u=test">Test user</a></li></ul>',
  );
}

/** Title, details and reviews of a book, or what is said in their place. */
export function productPage(
  product: { readonly title: string; readonly descriptionHtml: string },
  details: Outcome<Details>,
  reviews: Outcome<Reviews>,
  user: string,
): string {
  const who =
    user === ""
      ? '<form method="post" action="login"><input name="username" aria-label="Username" placeholder="Username" required> <input name="passwd" type="password" aria-label="Password" placeholder="Password"> <button>Sign in</button></form>'
      : `<span>${escaped(user)} <a href="logout">Sign out</a></span>`;
  return page(
    "Simple Bookstore App",
    `<nav><b>BookInfo Sample</b>${who}</nav><h1>${escaped(product.title)}</h1><p>${product.descriptionHtml}</p>${detailsPart(details)}${reviewsPart(reviews)}`,
  );
}

function detailsPart(details: Outcome<Details>): string {
  if ("error" in details) return `<h2 class="error">Error fetching product details</h2><p>${escaped(details.error)}</p>`;
  const shown = [
    ["ISBN-10", "ISBN-10"],
    ["Publisher", "publisher"],
    ["Pages", "pages"],
    ["Type", "type"],
    ["Language", "language"],
  ] as const;
  return `<h2>Book Details</h2><table><tr>${shown.map(([title]) => `<th>${title}</th>`).join("")}</tr><tr>${shown.map(([, key]) => `<td>${escaped(String(details.body[key] ?? ""))}</td>`).join("")}</tr></table>`;
}

function reviewsPart(reviews: Outcome<Reviews>): string {
  if ("error" in reviews) return `<h2 class="error">Error fetching product reviews</h2><p>${escaped(reviews.error)}</p>`;
  const { podname, reviews: all } = reviews.body;
  return `<h2>Book Reviews</h2>${all.map((review) => `<blockquote>${rating(review.rating)}<p>${escaped(review.text)}</p><b>${escaped(review.reviewer)}</b> <small>Reviews served by: ${escaped(podname ?? "")}</small></blockquote>`).join("")}`;
}

function rating(given: Reviews["reviews"][number]["rating"]): string {
  if (!given) return "";
  if ("error" in given) return `<p class="error">${escaped(given.error)}</p>`;
  const full = Math.max(0, Math.min(5, given.stars));
  return `<div class="glyphicon-star" style="color:${escaped(given.color)}" aria-label="${full} of 5 stars">${"★".repeat(full)}${"☆".repeat(5 - full)}</div>`;
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head><body>${body}</body></html>\n`;
}

/** Services behind are not trusted with the page's markup. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
