import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../base/index.ts";

/** Somebody who has signed in with a Kubernetes token. The token stays in this process's memory. */
export interface Session {
  username: string;
  token: string;
  /** Sent by the page with each write; another site's page cannot read it. */
  csrf: string;
  /** Unix ms. */
  expires: number;
}

/** A working day; a token that ends earlier ends the session with it. */
const LIFETIME_MS = 12 * 3_600_000;
/** More people than work on one mesh at once; who signs in beyond it ends the oldest session. */
const MAX_SESSIONS = 200;
const COOKIE = "chainmail-session";

/** Who is signed in, by a random id in a cookie that scripts cannot read. Forgotten when the console restarts. */
export class Sessions {
  /** By the id's hash: a look-up then tells nothing by its time. */
  readonly #sessions = new Map<string, Session>();

  constructor(
    private readonly clock: Clock,
    private readonly random: (bytes: number) => Buffer = randomBytes,
  ) {}

  /** Begins a session and returns it with the Set-Cookie header's value. */
  begin(username: string, token: string): { session: Session; cookie: string } {
    const now = this.clock.now();
    for (const [key, { expires }] of this.#sessions) if (expires <= now) this.#sessions.delete(key);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    const id = this.random(32).toString("base64url");
    const session = { username, token, csrf: this.random(32).toString("base64url"), expires: Math.min(now + LIFETIME_MS, tokenEnd(token)) };
    this.#sessions.set(hash(id), session);
    const seconds = Math.max(0, Math.floor((session.expires - now) / 1000));
    // Without Secure: the tunnel of `istioctl dashboard` is plain HTTP on loopback, and TLS ends before other ways here.
    return { session, cookie: `${COOKIE}=${id}; Path=/kiali; HttpOnly; SameSite=Strict; Max-Age=${seconds}` };
  }

  of(request: Request): Session | undefined {
    const id = idOf(request);
    const session = id === undefined ? undefined : this.#sessions.get(hash(id));
    return session && session.expires > this.clock.now() ? session : undefined;
  }

  /** Ends it; returns the Set-Cookie header's value that takes the cookie away. */
  end(request: Request): string {
    const id = idOf(request);
    if (id !== undefined) this.#sessions.delete(hash(id));
    return `${COOKIE}=; Path=/kiali; HttpOnly; SameSite=Strict; Max-Age=0`;
  }
}

/** Whether a request carries the session's own token against forgery. */
export function hasCsrfToken(request: Request, session: Session): boolean {
  const given = Buffer.from(request.headers.get("x-csrf-token") ?? "");
  const wanted = Buffer.from(session.csrf);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function idOf(request: Request): string | undefined {
  const cookies = request.headers.get("cookie")?.split(/;\s*/) ?? [];
  return cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}

function hash(id: string): string {
  return createHash("sha256").update(id).digest("base64");
}

/** When a service account's token ends, in Unix ms. Only read, never trusted: the API server judges the token. */
function tokenEnd(token: string): number {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY; // Other kinds of tokens say nothing of their end.
  }
}
