import { parseDocument } from "yaml";
import { errorText } from "../../base/index.ts";
import type { GroupVersionResource, Transport } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { ISTIO_KINDS } from "../api/istio-kinds.ts";
import { ApiProblem } from "../api/router.ts";
import { hasCsrfToken, type Session, type Sessions } from "./sessions.ts";

/** A transport with the rights of whoever holds a token. */
export type UserTransport = (token: string) => Transport;

/** Above any object that the API server takes. */
const MAX_BODY_BYTES = 1_500_000;
/** Longer than any token that an API server gives out. */
const MAX_TOKEN = 16_384;
const CONTENT = { merge: "application/merge-patch+json", json: "application/json" };

export interface Writes {
  /** Answers a request that is no GET; undefined where its path is none of these. */
  answer(request: Request, path: string, query: URLSearchParams): Promise<Response> | undefined;
  /** The token of who asks, where they have signed in and the page proves to be ours; undefined for who is anonymous. */
  token(request: Request): string | undefined;
  /** What /auth/info and the page know of who asks. */
  session(request: Request): { username: string; expiresOn: string; csrf?: string };
}

/**
 * What changes something: signing in, and writing Istio's objects at Kiali's paths. Each write is done with the token of
 * who asks for it, so the API server judges by that user's own rights; the console has none to write with.
 */
export function createWrites(sessions: Sessions, asUser: UserTransport): Writes {
  const signIn = async (request: Request): Promise<Response> => {
    const token = await tokenOf(request);
    const username = await whoIs(asUser(token));
    const { session, cookie } = sessions.begin(username, token);
    return Response.json(sessionAnswer(session), { headers: { "set-cookie": cookie } });
  };
  const write = async (request: Request, target: Target, query: URLSearchParams): Promise<Response> => {
    const transport = asUser(writer(request, sessions));
    const { method, body, type } = await change(request, target);
    const parameters = new URLSearchParams({
      fieldManager: "chainmail-console",
      ...(query.get("dryRun") === "All" && { dryRun: "All" }),
      fieldValidation: "Strict",
    });
    const response = await transport(`${pathOf(target, method === "POST" ? undefined : target.name)}?${parameters}`, {
      method,
      ...(body !== undefined && { body, headers: { "content-type": type } }),
    });
    const answer = (await response.json().catch(() => ({}))) as KubeObject & { message?: string };
    if (!response.ok) throw new ApiProblem(response.status, answer.message ?? `the API server answered ${response.status}`);
    return Response.json(answer);
  };
  return {
    answer(request, path, query) {
      if (path === "/authenticate" && request.method === "POST") return signIn(request);
      if (path === "/logout" && request.method === "POST") return Promise.resolve(Response.json({}, { headers: { "set-cookie": sessions.end(request) } }));
      const target = targetOf(path);
      return target && write(request, target, query);
    },
    token: (request) => (sessions.of(request) || request.headers.has("authorization") ? writer(request, sessions) : undefined),
    session(request) {
      const session = sessions.of(request);
      return session ? sessionAnswer(session) : { username: "anonymous", expiresOn: "" };
    },
  };
}

function sessionAnswer({ username, expires, csrf }: Session): { username: string; expiresOn: string; csrf: string } {
  return { username, expiresOn: Number.isFinite(expires) ? new Date(expires).toISOString() : "", csrf };
}

/** The token that a write is done with: a script's own, or the session's when the page proves to be ours. */
function writer(request: Request, sessions: Sessions): string {
  const bearer = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (bearer) return bearer;
  const session = sessions.of(request);
  if (!session) throw new ApiProblem(401, "Sign in first: who is anonymous may only read");
  if (!hasCsrfToken(request, session)) throw new ApiProblem(403, "The request lacks the page's own token: load the page again");
  return session.token;
}

async function tokenOf(request: Request): Promise<string> {
  const text = await bodyText(request);
  const given = request.headers.get("content-type")?.startsWith(CONTENT.json)
    ? (JSON.parse(text || "{}") as { token?: unknown }).token
    : new URLSearchParams(text).get("token");
  if (typeof given !== "string" || given.trim() === "" || given.length > MAX_TOKEN)
    throw new ApiProblem(400, "no token was given: kubectl create token NAME makes one");
  return given.trim();
}

/** Asks the API server whom a token stands for. Throws 401 where it stands for nobody. */
async function whoIs(transport: Transport): Promise<string> {
  const body = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" });
  const response = await transport("/apis/authentication.k8s.io/v1/selfsubjectreviews", { method: "POST", body, headers: { "content-type": CONTENT.json } });
  const review = (await response.json().catch(() => ({}))) as { status?: { userInfo?: { username?: string } } };
  const username = review.status?.userInfo?.username;
  if (!response.ok || !username || username === "system:anonymous")
    throw new ApiProblem(401, "The API server does not know this token: it may have ended, kubectl create token NAME makes a new one");
  return username;
}

interface Target {
  namespace: string;
  kind: string;
  resource: GroupVersionResource;
  name: string | undefined;
}

/** /namespaces/NS/istio/GROUP/VERSION/KIND[/NAME], of Istio's kinds alone. */
function targetOf(path: string): Target | undefined {
  const [, namespace, group, version, kind, name] = /^\/namespaces\/([^/]+)\/istio\/([^/]+)\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
  const known = ISTIO_KINDS.find((candidate) => candidate.kind === kind && candidate.resource.group === group);
  if (!known || !namespace || !version) return undefined;
  return {
    namespace: decodeURIComponent(namespace),
    kind: known.kind,
    resource: { ...known.resource, version },
    name: name === undefined ? undefined : decodeURIComponent(name),
  };
}

function pathOf({ namespace, resource: { group, version, resource } }: Target, name: string | undefined): string {
  const parts = ["apis", group, version, "namespaces", namespace, resource, ...(name === undefined ? [] : [name])];
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

/** The request to the API server that a request to the console stands for. */
async function change(request: Request, target: Target): Promise<{ method: string; body?: string; type: string }> {
  const { method } = request;
  if (method === "DELETE" && target.name !== undefined) return { method, type: CONTENT.json };
  if (method === "PATCH" && target.name !== undefined) return { method, body: await bodyText(request), type: CONTENT.merge };
  if (method === "POST" && target.name === undefined) return { method, body: JSON.stringify(manifest(await bodyText(request), target)), type: CONTENT.json };
  if (method === "PUT" && target.name !== undefined) return { method, body: JSON.stringify(manifest(await bodyText(request), target)), type: CONTENT.json };
  throw new ApiProblem(405, `${method} is not for this path`);
}

/** One object in YAML or JSON, which must be the one that the path names. */
function manifest(text: string, target: Pick<Target, "namespace" | "kind" | "name">, anyNamespace = false): KubeObject {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) throw new ApiProblem(400, `this is no YAML: ${problem.message}`);
  const object = plain(() => document.toJS({ maxAliasCount: 0 }) as unknown) as Partial<KubeObject> | null;
  if (typeof object !== "object" || object === null || typeof object.metadata !== "object" || object.metadata === null)
    throw new ApiProblem(400, "this is no object of Kubernetes: it needs apiVersion, kind and metadata");
  if (object.kind !== target.kind) throw new ApiProblem(400, `the kind is ${target.kind} and cannot become ${String(object.kind)} here`);
  const namespace = object.metadata.namespace ?? target.namespace;
  if ((!anyNamespace && namespace !== target.namespace) || (target.name !== undefined && object.metadata.name !== target.name))
    throw new ApiProblem(400, `an object's name and namespace cannot change: delete it and make another`);
  return { ...object, metadata: { ...object.metadata, namespace } } as KubeObject;
}

/** The policy in a request's body, of a kind whose outcome can be foretold. */
export async function policyOf(request: Request): Promise<KubeObject> {
  const text = await bodyText(request);
  const kind = /^kind:\s*["']?(PeerAuthentication|AuthorizationPolicy)\b/m.exec(text)?.[1];
  if (!kind) throw new ApiProblem(400, "only a PeerAuthentication or an AuthorizationPolicy can be looked at beforehand");
  return manifest(text, { namespace: "default", kind, name: undefined }, true);
}

function plain(read: () => unknown): unknown {
  try {
    return read();
  } catch (thrown) {
    throw new ApiProblem(400, `this is no plain YAML: ${errorText(thrown)}`);
  }
}

/** A body within its limit. */
export async function bodyText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw new ApiProblem(413, `a body may have ${MAX_BODY_BYTES} bytes`);
  const text = await request.text();
  if (text.length > MAX_BODY_BYTES) throw new ApiProblem(413, `a body may have ${MAX_BODY_BYTES} bytes`);
  return text;
}
