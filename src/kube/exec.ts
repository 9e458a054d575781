import { ChainmailError } from "../base/index.ts";
import type { StatusBody } from "./errors.ts";
import { PODS, resourcePath } from "./gvr.ts";
import type { HttpsTransportOptions } from "./https-transport.ts";
import { openWebSocket } from "./portforward/upgrade.ts";
import { BINARY, CLOSE, PING, PONG, WebSocketFrameParser, encodeWebSocketFrame } from "./portforward/websocket-frames.ts";

export interface ExecRequest {
  namespace: string;
  pod: string;
  container: string;
  command: readonly string[];
  /** Bytes of output, both streams together; a command that says more is cut off with EXEC_OUTPUT_TOO_LARGE. */
  maxBytes: number;
  /** A command that takes longer is left with EXEC_TIMEOUT; its connection is closed. */
  timeoutMs: number;
}

export interface ExecResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go */
const PROTOCOL = "v5.channel.k8s.io";
const [STDOUT, STDERR, ERROR] = [1, 2, 3];

/**
 * Runs a command in a container, as `kubectl exec` does, without input, and returns what it printed and how it ended.
 * Throws ApiError when the API server refuses, and a ChainmailError when the command cannot be started.
 */
export async function execInPod(
  connection: HttpsTransportOptions,
  { namespace, pod, container, command, maxBytes, timeoutMs }: ExecRequest,
): Promise<ExecResult> {
  const query = new URLSearchParams([
    ["container", container],
    ["stdout", "true"],
    ["stderr", "true"],
    ...command.map((part): [string, string] => ["command", part]),
  ]);
  const { socket, head } = await openWebSocket(connection, `${resourcePath(PODS, namespace, pod, "exec")}?${query}`, PROTOCOL);
  const output: Record<number, Buffer[]> = { [STDOUT]: [], [STDERR]: [], [ERROR]: [] };
  let size = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const frames = new WebSocketFrameParser();
      const timer = setTimeout(() => reject(new ChainmailError("EXEC_TIMEOUT", `the command in ${pod} did not end within ${timeoutMs / 1000} s`)), timeoutMs);
      const receive = (chunk: Buffer) => {
        for (const { opcode, payload } of frames.feed(chunk)) {
          if (opcode === PING) socket.write(encodeWebSocketFrame(PONG, payload));
          else if (opcode === CLOSE) resolve();
          else if (opcode === BINARY && payload.length > 1) {
            size += payload.length;
            if (size > maxBytes) throw new ChainmailError("EXEC_OUTPUT_TOO_LARGE", `the command in ${pod} printed more than ${maxBytes} bytes`);
            // The parser's buffer is used again: what is kept is copied.
            output[payload[0]!]?.push(Buffer.from(payload.subarray(1)));
          }
        }
      };
      const guarded = (chunk: Buffer) => {
        try {
          receive(chunk);
        } catch (thrown) {
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
      };
      socket.on("data", guarded).on("end", resolve).on("close", resolve).on("error", reject);
      socket.once("close", () => clearTimeout(timer));
      if (head.length > 0) guarded(head);
      socket.resume();
    });
  } finally {
    socket.destroy();
  }
  const text = (channel: number) => Buffer.concat(output[channel]!).toString("utf8");
  return { stdout: text(STDOUT), stderr: text(STDERR), exitCode: exitCode(text(ERROR), pod) };
}

/** The Status on the error channel: success, or the cause ExitCode; anything else means that nothing ran. */
function exitCode(status: string, pod: string): number {
  if (status === "") throw new ChainmailError("EXEC_LOST", `the connection to ${pod} ended before its command did`);
  const body = JSON.parse(status) as StatusBody;
  if (body.status === "Success") return 0;
  const code = body.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (code === undefined || !/^\d+$/.test(code)) throw new ChainmailError("EXEC_FAILED", body.message ?? `the command could not be started in ${pod}`);
  return Number(code);
}
