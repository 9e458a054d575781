import { expect, test } from "bun:test";
import type { Handler } from "../../serve.ts";
import { createDetails } from "./details.ts";
import { createProductpage } from "./productpage.ts";
import { createRatings } from "./ratings.ts";
import { createReviews } from "./reviews.ts";

const deps = { random: () => 0.9, sleep: async () => {}, uptime: () => 0 };
const quiet = (): void => {};

/** Calls go to the handlers by host name; what was asked is kept. */
function shop(reviewsEnv: Record<string, string>, ratings: Handler = createRatings({}, deps)): { page: Handler; asked: Request[] } {
  const asked: Request[] = [];
  const call = (async (url: string, init?: RequestInit) => {
    const request = new Request(url, init);
    asked.push(request);
    const service = { details: createDetails(), ratings, reviews }[new URL(url).hostname];
    if (!service) throw new Error("no such host");
    return service(request, () => "");
  }) as typeof fetch;
  const reviews = createReviews({ HOSTNAME: "reviews-1", ...reviewsEnv }, quiet, call);
  return { page: createProductpage({}, call), asked };
}

const get = async (page: Handler, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  page(new Request(`http://productpage:9080${path}`, { headers }), () => "");

test("the page shows details, reviews and stars of the right colour", async () => {
  const { page, asked } = shop({ ENABLE_RATINGS: "true", STAR_COLOR: "red" });
  const text = await (await get(page, "/productpage", { cookie: "session=jason", "x-request-id": "7" })).text();
  for (const part of ["The Comedy of Errors", "PublisherA", "slapstick", 'style="color:red"', "reviews-1", "jason"]) expect(text).toContain(part);
  expect(asked.map((request) => [new URL(request.url).pathname, request.headers.get("x-request-id"), request.headers.get("end-user")])).toEqual([
    ["/details/0", "7", "jason"],
    ["/reviews/0", "7", "jason"],
    ["/ratings/0", "7", "jason"],
  ]);
});

test("version 1 has no stars; unavailable ratings are said so; unavailable reviews are asked twice", async () => {
  expect(await (await get(shop({}).page, "/productpage")).text()).not.toContain("glyphicon-star");
  const broken = shop({ ENABLE_RATINGS: "true" }, () => new Response(undefined, { status: 503 }));
  expect(await (await get(broken.page, "/productpage")).text()).toContain("Ratings service is currently unavailable");
  const gone = shop({ ENABLE_RATINGS: "true" }, () => new Response());
  const page = createProductpage({ REVIEWS_HOSTNAME: "nowhere" }, (async (url: string) => {
    gone.asked.push(new Request(url));
    throw new Error("refused");
  }) as unknown as typeof fetch);
  expect(await (await get(page, "/productpage")).text()).toContain("Error fetching product reviews");
  expect(gone.asked.filter(({ url }) => url === "http://nowhere:9080/reviews/0")).toHaveLength(2);
});

test("the API, signing in and out, and what stands in a name is no markup", async () => {
  const { page } = shop({});
  expect(await (await get(page, "/api/v1/products")).json()).toHaveLength(1);
  expect(await (await get(page, "/api/v1/products/0/ratings")).json()).toEqual({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });
  const login = await page(new Request("http://productpage/login", { method: "POST", body: new URLSearchParams({ username: "<b>", passwd: "" }) }), () => "");
  expect([login.status, login.headers.get("set-cookie")?.split(";")[0]]).toEqual([302, "session=%3Cb%3E"]);
  expect(await (await get(page, "/productpage", { cookie: "session=%3Cb%3E" })).text()).toContain("&lt;b&gt;");
  expect((await get(page, "/nowhere")).status).toBe(404);
});

test("ratings by version: some fail, some are late, what is posted stays", async () => {
  const status = async (version: string, random: number, uptime: number): Promise<number> =>
    (await createRatings({ SERVICE_VERSION: version }, { ...deps, random: () => random, uptime: () => uptime })(new Request("http://r/ratings/0"), () => ""))
      .status;
  expect([await status("v-faulty", 0.4, 0), await status("v-faulty", 0.6, 0)]).toEqual([503, 200]);
  expect([await status("v-unavailable", 0, 30_000), await status("v-unavailable", 0, 90_000)]).toEqual([200, 503]);
  const ratings = createRatings({}, deps);
  await ratings(new Request("http://r/ratings/0", { method: "POST", body: '{"Reviewer1":1}' }), () => "");
  expect(await (await ratings(new Request("http://r/ratings/0"), () => "")).json()).toEqual({ id: 0, ratings: { Reviewer1: 1 } });
  expect((await ratings(new Request("http://r/ratings/x"), () => "")).status).toBe(400);
  // Kept is only so much: of a post, and of products the last.
  expect((await ratings(new Request("http://r/ratings/1", { method: "POST", body: JSON.stringify({ long: "x".repeat(20_000) }) }), () => "")).status).toBe(413);
  for (let id = 1; id <= 1_000; id++) await ratings(new Request(`http://r/ratings/${id}`, { method: "POST", body: '{"Reviewer1":1}' }), () => "");
  expect(await (await ratings(new Request("http://r/ratings/0"), () => "")).json()).toEqual({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });
});
