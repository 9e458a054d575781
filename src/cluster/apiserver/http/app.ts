import { ChainmailError, type Clock, errorText, type Logger } from "../../../base/index.ts";
import type { Authenticator, Credentials } from "../auth/authenticator.ts";
import type { Authorizer } from "../auth/authorizer.ts";
import { impersonated } from "../auth/impersonation.ts";
import type { Observer } from "../observe/types.ts";
import type { UserInfo } from "../types.ts";
import type { ApiRequest, ApiResponse } from "./exchange.ts";
import { wantsPretty } from "./negotiate.ts";
import { pageNotFound, respondStatus } from "./respond.ts";
import { parseResourcePath, type ResourceRequest } from "./route.ts";
import { badRequest, forbidden, internalError, methodNotAllowed, StatusError } from "./status.ts";
import { isTrue } from "../rest/list-options.ts";

/** A request before it is known who asks. */
export type Incoming = Omit<ApiRequest, "user">;

export interface AppParts {
  authenticator: Authenticator;
  authorizer: Authorizer;
  log: Logger;
  clock: Clock;
  /** Hear of every request. */
  observers: readonly Observer[];
  resources(request: ApiRequest, target: ResourceRequest): Promise<ApiResponse | undefined>;
  nonResources(request: ApiRequest): Promise<ApiResponse | undefined> | ApiResponse | undefined;
}

/** What no resource takes. */
const UNKNOWN_METHOD = /^(HEAD|OPTIONS|TRACE)$/;

/** From a request to its answer: who asks, may they, and what is it about. Never rejects. */
export class App {
  constructor(private readonly parts: AppParts) {}

  async handle(incoming: Incoming, credentials: Credentials): Promise<ApiResponse> {
    let user: UserInfo;
    try {
      user = await this.parts.authenticator.authenticate(credentials);
    } catch (error) {
      const answer = this.#refusal(incoming, error);
      this.observe(incoming, undefined, undefined, answer, this.parts.clock.now(), 0, error);
      return answer;
    }
    return this.handleAs(incoming, user);
  }

  /** For calls in-process, whose user is known. */
  async handleAs(incoming: Incoming, caller: UserInfo): Promise<ApiResponse> {
    const startedAt = this.parts.clock.now();
    const start = performance.now();
    let authorized: { request: ApiRequest; target: ResourceRequest | undefined } | undefined;
    let answer: ApiResponse;
    let refused: unknown;
    try {
      authorized = this.authorize(incoming, caller);
      const { request, target } = authorized;
      if (!target && UNKNOWN_METHOD.test(request.method) && targetOf({ ...incoming, method: "GET" })) throw methodNotAllowed();
      answer = (target ? await this.parts.resources(request, target) : await this.parts.nonResources(request)) ?? pageNotFound();
    } catch (error) {
      refused = error;
      answer = this.#refusal(incoming, error);
    }
    this.observe(incoming, authorized?.request.user ?? caller, authorized?.target, answer, startedAt, (performance.now() - start) / 1000, refused);
    return answer;
  }

  /** Tells the observers of one request; of upgrades their handlers tell themselves. */
  observe(
    incoming: Incoming,
    user: UserInfo | undefined,
    target: ResourceRequest | undefined,
    answer: Pick<ApiResponse, "status" | "stream">,
    startedAt: number,
    seconds: number,
    refused?: unknown,
  ): void {
    const { observers } = this.parts;
    if (observers.length === 0) return;
    // What was refused before it was routed is about the same object.
    const about = target ?? attempted(incoming);
    const refusal = refused === undefined ? undefined : errorText(refused);
    const streaming = answer.stream !== undefined || answer.status === 101;
    for (const observer of observers) observer({ incoming, user, target: about, code: answer.status, refusal, streaming, startedAt, seconds });
  }

  /** The request as its user (or whom they act for), if they may make it. Throws 401 and 403. */
  authorize(incoming: Incoming, caller: UserInfo): { request: ApiRequest; target: ResourceRequest | undefined } {
    const user = impersonated(caller, (name) => incoming.header(name), this.parts.authorizer);
    const { method, path, query } = incoming;
    const target = targetOf(incoming);
    const decision = target
      ? this.parts.authorizer.authorize({ user, verb: target.verb, resource: target })
      : this.parts.authorizer.authorize({ user, verb: method.toLowerCase(), path });
    if (!decision.allowed) throw target ? resourceForbidden(user, target, decision.reason) : pathForbidden(user, method, path);
    const request: ApiRequest = {
      method,
      path,
      query,
      header: (name) => incoming.header(name),
      headers: () => incoming.headers(),
      body: () => incoming.body(),
      user,
      get signal() {
        return incoming.signal;
      },
    };
    return { request, target };
  }

  #refusal(incoming: Incoming, error: unknown): ApiResponse {
    const pretty = wantsPretty(incoming.header("user-agent"), incoming.query.get("pretty"));
    if (error instanceof StatusError) return respondStatus(error, pretty);
    if (typeof error === "object" && error !== null && "code" in error && error.code === "STORE_WRITE_FAILED") {
      return respondStatus(new StatusError(507, "InsufficientStorage", errorText(error)), pretty);
    }
    // Go's decoder refuses so what is nested more than 10,000 deep; here the stack is the limit.
    if (error instanceof RangeError && error.message.includes("call stack"))
      return respondStatus(badRequest("the object provided is unrecognized: json: exceeded max depth"), pretty);
    this.parts.log.error("request failed", {
      method: incoming.method,
      path: incoming.path,
      error: errorText(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    // What was not foreseen is for the log; it may hold more than the client should see.
    return respondStatus(
      internalError(error instanceof ChainmailError ? error.message : "an unforeseen fault of the API server, described in the cluster's log"),
      pretty,
    );
  }
}

function attempted(incoming: Incoming): ResourceRequest | undefined {
  try {
    return targetOf(incoming);
  } catch {
    return undefined;
  }
}

function targetOf({ method, path, query }: Incoming): ResourceRequest | undefined {
  try {
    return parseResourcePath(method, path, isTrue(query.get("watch")), query.get("fieldSelector"));
  } catch (error) {
    if (error instanceof URIError) throw badRequest("invalid URL escape in the path");
    throw error;
  }
}

function resourceForbidden(user: UserInfo, target: ResourceRequest, reason: string): StatusError {
  const resource = target.subresource ? `${target.resource}/${target.subresource}` : target.resource;
  const where = target.namespace ? `in the namespace ${JSON.stringify(target.namespace)}` : "at the cluster scope";
  const why = `User ${JSON.stringify(user.username)} cannot ${target.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(target.group)} ${where}`;
  return forbidden({ group: target.group, plural: target.resource, kind: target.resource }, target.name, reason ? `${why}: ${reason}` : why);
}

function pathForbidden(user: UserInfo, method: string, path: string): StatusError {
  return new StatusError(403, "Forbidden", `forbidden: User ${JSON.stringify(user.username)} cannot ${method.toLowerCase()} path ${JSON.stringify(path)}`, {});
}
