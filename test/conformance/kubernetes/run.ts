/** Has one conversation with an API server and writes down its answers. */
import { maskBody, maskHeaders, maskText } from "./mask.ts";
import type { Answer, Script, Step, Target } from "./types.ts";

/** How long a watch is listened to after what happened meanwhile, where it is not known how many events come. */
const QUIET_MS = 700;
/** How long a watch may take to bring the events that are expected of it. */
const PATIENCE_MS = 800;

/** Runs a script's steps in order. `expected`: the real server's answers, which say how many events a watch brings. */
export async function runScript(target: Target, script: Script, expected?: Record<string, Answer>): Promise<Record<string, Answer>> {
  const answers: Record<string, Answer> = {};
  const saved = new Map<string, string>();
  const ns = namespaceOf(script);
  await prepareNamespace(target, ns);
  const fill = (text: string) => text.replaceAll("{ns}", ns).replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => saved.get(name) ?? `{{${name}}}`);
  for (const step of script.steps) {
    if (step.pauseMs !== undefined) {
      if (!expected) await Bun.sleep(step.pauseMs);
      continue;
    }
    const answer = step.during ? await watch(target, step, fill, saved, expected?.[step.title]?.events?.length) : await ask(target, step, fill, saved);
    if (!step.setup) answers[step.title] = answer;
  }
  return answers;
}

export function namespaceOf({ name }: Script): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}

/** A namespace with the account that controllers would make. */
async function prepareNamespace(target: Target, ns: string): Promise<void> {
  const post = (path: string, body: unknown) =>
    target(path, { method: "POST", headers: { "content-type": "application/json", "user-agent": "setup/1" }, body: JSON.stringify(body) });
  await (await post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: ns } })).text();
  await (await post(`/api/v1/namespaces/${ns}/serviceaccounts`, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } })).text();
}

async function ask(target: Target, step: Step, fill: (text: string) => string, saved: Map<string, string>): Promise<Answer> {
  const response = await target(fill(step.path), requestOf(step, fill)).catch((error: unknown) => {
    throw new Error(`no answer to ${step.title}: ${step.method} ${fill(step.path)}`, { cause: error });
  });
  const text = await response.text();
  const body = parse(text);
  for (const [name, path] of Object.entries(step.save ?? {})) saved.set(name, String(pick(body, path)));
  const shown = step.only ? step.only(body) : body;
  return {
    status: response.status,
    headers: maskHeaders(response.headers),
    ...(shown === "" ? {} : { body: typeof shown === "string" ? maskText(shown) : maskBody(shown) }),
  };
}

function requestOf(step: Step, fill: (text: string) => string): Parameters<Target>[1] {
  const { method, body, type = "application/json", headers } = step;
  const bytes = body === undefined ? undefined : body instanceof Uint8Array ? body : fill(typeof body === "string" ? body : JSON.stringify(body));
  return {
    method,
    headers: { "user-agent": "conformance/1.0", ...(bytes === undefined ? {} : { "content-type": type }), ...headers },
    ...(bytes === undefined ? {} : { body: bytes }),
  };
}

async function watch(target: Target, step: Step, fill: (text: string) => string, saved: Map<string, string>, count: number | undefined): Promise<Answer> {
  const gone = new AbortController();
  const response = await target(fill(step.path), { ...requestOf(step, fill), signal: gone.signal });
  const events: unknown[] = [];
  const enough = Promise.withResolvers<void>();
  if (count === 0) enough.resolve();
  const reading = read(response, (event) => {
    if (isBookmark(event)) return;
    events.push(step.only ? step.only(event) : maskBody(event));
    if (events.length === count) enough.resolve();
  }).finally(() => enough.resolve());
  for (const meanwhile of step.during ?? []) await ask(target, meanwhile, fill, saved);
  const limit = setTimeout(enough.resolve, count === undefined ? QUIET_MS : PATIENCE_MS);
  await enough.promise;
  clearTimeout(limit);
  gone.abort();
  await reading;
  return { status: response.status, headers: maskHeaders(response.headers), events };
}

/** Bookmarks come as time passes; only that which ends the initial events comes for a reason. */
function isBookmark(event: unknown): boolean {
  return (event as { type?: string }).type === "BOOKMARK" && !JSON.stringify(event).includes("k8s.io/initial-events-end");
}

async function read(response: Response, each: (event: unknown) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of response.body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") each(JSON.parse(line));
    }
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
  }
}

function parse(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function pick(body: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[key] : undefined), body);
}
