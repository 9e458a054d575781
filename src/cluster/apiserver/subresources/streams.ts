import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { ChainmailError, errorText, type Logger } from "../../../base/index.ts";
import type { Pod } from "../../../resources/index.ts";
import type { PodStreams } from "../../node/types.ts";
import { handleExecUpgrade, handlePortForwardUpgrade } from "../../streams/index.ts";
import type { App, Incoming } from "../http/app.ts";
import type { Authenticator, Credentials } from "../auth/authenticator.ts";
import type { ApiResponse, Sink } from "../http/exchange.ts";
import { respondStatus } from "../http/respond.ts";
import type { ResourceRequest } from "../http/route.ts";
import { badRequest, internalError, invalid, methodNotAllowed, notFound, StatusError } from "../http/status.ts";
import type { RestContext } from "../rest/context.ts";
import { isTrue } from "../rest/list-options.ts";
import type { UserInfo } from "../types.ts";
import type { ResourceCall, SpecialHandler } from "../rest/dispatch.ts";

const PODS = { group: "", plural: "pods", kind: "Pod" };
const DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container";

export interface StreamParts {
  context: RestContext;
  streams: PodStreams;
  app: App;
  authenticator: Authenticator;
  log: Logger;
}

/** Takes over exec, attach and port-forward requests: who asks and whether they may is decided as for any request. */
export async function handleUpgrade(
  parts: StreamParts,
  incoming: Incoming,
  credentials: Credentials,
  raw: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const startedAt = parts.context.clock.now();
  let user: UserInfo | undefined;
  let target: ResourceRequest | undefined;
  try {
    user = await parts.authenticator.authenticate(credentials);
    const authorized = parts.app.authorize(incoming, user);
    user = authorized.request.user;
    target = authorized.target;
    if (!target || target.group !== "" || target.resource !== "pods" || target.name === "") throw badRequest("this path takes no upgrade");
    // A stream may last for ever: it is told of when it begins.
    parts.app.observe(incoming, user, target, { status: 101 }, startedAt, 0);
    await serve(parts, target, incoming, raw, socket, head);
  } catch (error) {
    const answer = respondStatus(asStatus(error, parts.log));
    parts.app.observe(incoming, user, target, answer, startedAt, 0, error);
    refuse(socket, answer);
  }
}

async function serve(
  { context, streams }: StreamParts,
  target: ResourceRequest,
  { query }: Incoming,
  raw: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const { namespace, name } = target;
  const pod = podOf(context, namespace, name);
  const tty = isTrue(query.get("tty"));
  const wanted = { stdin: isTrue(query.get("stdin")), stdout: isTrue(query.get("stdout")), stderr: isTrue(query.get("stderr")) && !tty, tty };
  switch (target.subresource) {
    case "exec": {
      const command = query.getAll("command");
      if (command.length === 0) throw badRequest("you must specify at least 1 command for exec");
      const container = containerOf(pod, query.get("container"));
      return handleExecUpgrade(raw, socket, head, {
        command,
        ...wanted,
        exec: () => streams.exec(namespace, name, container, { command, stdin: wanted.stdin, tty }),
      });
    }
    case "attach": {
      const container = containerOf(pod, query.get("container"));
      return handleExecUpgrade(raw, socket, head, {
        command: [],
        ...wanted,
        exec: () => streams.attach(namespace, name, container, { stdin: wanted.stdin, tty }),
      });
    }
    case "portforward":
      return handlePortForwardUpgrade(raw, socket, head, { dial: (port) => streams.portForward(namespace, name, port) });
    default:
      throw badRequest("this path takes no upgrade");
  }
}

/** What the same paths answer without an upgrade. */
export function upgradeRequired(context: RestContext): SpecialHandler {
  return ({ target }) => {
    if (target.verb !== "get" && target.verb !== "create") throw methodNotAllowed();
    podOf(context, target.namespace, target.name);
    throw badRequest("Upgrade request required");
  };
}

/** `pods/x/log`: text, flushed as it comes. */
export function logSubresource(context: RestContext, streams: PodStreams, log: Logger): SpecialHandler {
  return async ({ target, request }: ResourceCall): Promise<ApiResponse> => {
    if (target.verb !== "get") throw methodNotAllowed();
    const { query } = request;
    const pod = podOf(context, target.namespace, target.name);
    const container = containerOf(pod, query.get("container"));
    const options = {
      follow: isTrue(query.get("follow")),
      previous: isTrue(query.get("previous")),
      timestamps: isTrue(query.get("timestamps")),
      ...optionalCount(query, target.name, "tailLines"),
      ...optionalCount(query, target.name, "limitBytes"),
      ...optionalCount(query, target.name, "sinceSeconds"),
      ...(query.get("sinceTime") ? { sinceTime: query.get("sinceTime") as string } : {}),
    };
    const readable = await streams.logs(target.namespace, target.name, container, options).catch((error: unknown) => {
      throw asStatus(error, log);
    });
    return { status: 200, headers: { "content-type": "text/plain" }, stream: (sink, signal) => void pump(readable, sink, signal) };
  };
}

async function pump(readable: ReadableStream<Uint8Array>, sink: Sink, signal: AbortSignal): Promise<void> {
  const reader = readable.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) break;
      if (!sink.write(value)) {
        await new Promise<void>((resolve) => {
          sink.onDrain(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
  } catch (error) {
    // The answer has begun: all that can be said is in the text, as the kubelet does.
    sink.write(`${errorText(error)}\n`);
  } finally {
    signal.removeEventListener("abort", stop);
    sink.end();
  }
}

function optionalCount(query: URLSearchParams, pod: string, name: "tailLines" | "limitBytes" | "sinceSeconds"): Record<string, number> {
  const text = query.get(name);
  if (text === null || text === "") return {};
  if (/^-\d{1,15}$/.test(text))
    throw invalid({ group: "", plural: "podlogoptions", kind: "PodLogOptions" }, pod, [
      { type: "FieldValueInvalid", field: name, message: `Invalid value: ${text}: must be greater than or equal to 0` },
    ]);
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`unable to decode query parameter ${name}: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return { [name]: Number(text) };
}

function podOf(context: RestContext, namespace: string, name: string): Pod {
  const stored = context.store.get("/pods", namespace, name);
  if (!stored) throw notFound(PODS, name);
  return stored.object as unknown as Pod;
}

/** The container asked for, or the only one, or the one that the pod says is meant. Throws 400. */
function containerOf({ metadata, spec }: Pod, asked: string | null): string {
  const containers = (spec?.containers ?? []).map(({ name }) => name);
  const init = (spec?.initContainers ?? []).map(({ name }) => name);
  const ephemeral = ((spec as { ephemeralContainers?: { name: string }[] } | undefined)?.ephemeralContainers ?? []).map(({ name }) => name);
  if (asked) {
    if ([...containers, ...init, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  }
  const preferred = metadata.annotations?.[DEFAULT_CONTAINER_ANNOTATION];
  if (preferred && containers.includes(preferred)) return preferred;
  const [only] = containers;
  if (containers.length === 1 && only && init.length === 0) return only;
  if (containers.length === 1 && only && !(spec?.initContainers ?? []).some(({ restartPolicy }) => restartPolicy === "Always")) return only;
  const choices = `choose one of: [${containers.join(" ")}]${init.length > 0 ? ` or one of the init containers: [${init.join(" ")}]` : ""}`;
  throw badRequest(`a container name must be specified for pod ${metadata.name}, ${choices}`);
}

/** The node's refusals as Kubernetes words them. */
function asStatus(error: unknown, log: Logger): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof ChainmailError) {
    switch (error.code) {
      case "POD_NOT_FOUND":
        return new StatusError(404, "NotFound", error.message);
      case "CONTAINER_NOT_FOUND":
      case "CONTAINER_NOT_RUNNING":
      case "UPGRADE_REFUSED":
        return badRequest(error.message);
      case "PORT_UNREACHABLE":
        return internalError(error.message);
    }
    if (error.name === "UpgradeError" || error.name === "StreamProtocolError") return badRequest(error.message);
  }
  log.error("stream failed", { error: errorText(error) });
  return internalError(errorText(error));
}

/** A plain HTTP/1.1 answer on a socket that asked for an upgrade. */
function refuse(socket: Duplex, { status, headers, body }: ApiResponse): void {
  const text = String(body ?? "");
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    `Content-Type: ${String(headers?.["content-type"] ?? "application/json")}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${text}`);
}
