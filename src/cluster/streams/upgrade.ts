import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ExecProcess } from "../runtime/types.ts";
import { UpgradeError } from "./errors.ts";
import { serveExecSpdy } from "./exec-spdy.ts";
import { serveExecWebSocket } from "./exec-websocket.ts";
import { portsOf, servePortForwardChannels } from "./port-forward-channels.ts";
import { servePortForward, type PortDialer } from "./port-forward.ts";
import { websocketBytes } from "./websocket/connection.ts";
import { chooseSubprotocol, isWebSocketUpgrade, websocketAccept } from "./websocket/handshake.ts";

/** Best first. kubectl from 1.31 offers v5 alone; browsers' consoles offer v4. */
const EXEC_WEBSOCKET = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/** Over SPDY, v4 is the newest that Kubernetes' servers speak. */
const EXEC_SPDY = ["v4.channel.k8s.io"];
const PORT_FORWARD_TUNNEL = "SPDY/3.1+portforward.k8s.io";
/** What libraries other than Go's speak. */
const PORT_FORWARD_CHANNELS = "v4.channel.k8s.io";
const PORT_FORWARD_SPDY = "portforward.k8s.io";

export interface ExecUpgradeOptions {
  /** For the message of a failed command. */
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
  /** Starts the process (exec) or joins it (attach); called before anything is written, so that it may still refuse. */
  exec(): Promise<ExecProcess>;
}

/**
 * Takes over an upgrade request for a pod's exec or attach. Throws before a byte is written: UpgradeError (a 400) for a
 * request in no protocol that we speak, or whatever `exec` throws. Resolves when the session is over.
 */
export async function handleExecUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, options: ExecUpgradeOptions): Promise<void> {
  if (isWebSocketUpgrade(request)) {
    const answer = websocketAccept(request, chooseSubprotocol(request, EXEC_WEBSOCKET));
    const process = await options.exec();
    return serve(socket, answer, () => serveExecWebSocket(socket, head, process, options.command));
  }
  const answer = spdyAccept(request, EXEC_SPDY);
  const process = await options.exec();
  return serve(socket, answer, () => serveExecSpdy(socket, head, process, options, options.command));
}

/**
 * Takes over an upgrade request for a pod's port-forward, by SPDY, by SPDY inside a WebSocket, or by a
 * WebSocket's channels. Throws UpgradeError (a
 * 400) before a byte is written; failures of `dial` go to the client on the connection's error stream.
 */
export async function handlePortForwardUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, options: { dial: PortDialer }): Promise<void> {
  if (isWebSocketUpgrade(request)) {
    const protocol = chooseSubprotocol(request, [PORT_FORWARD_TUNNEL, PORT_FORWARD_CHANNELS]);
    const answer = websocketAccept(request, protocol);
    if (protocol === PORT_FORWARD_CHANNELS) {
      const ports = portsOf(request.url ?? "");
      return serve(socket, answer, () => servePortForwardChannels(socket, head, ports, options.dial));
    }
    return serve(socket, answer, () => servePortForward(websocketBytes(socket, head), new Uint8Array(), options.dial));
  }
  return serve(socket, spdyAccept(request, [PORT_FORWARD_SPDY]), () => servePortForward(socket, head, options.dial));
}

function spdyAccept(request: IncomingMessage, supported: readonly string[]): string {
  if ((request.headers.upgrade ?? "").toUpperCase() !== "SPDY/3.1") {
    throw new UpgradeError(`unable to upgrade: Upgrade header must be websocket or SPDY/3.1, not ${JSON.stringify(request.headers.upgrade ?? "")}`);
  }
  // Clients send the header several times, once for each version; the parser joins them.
  const offered = [request.headers["x-stream-protocol-version"] ?? ""]
    .flat()
    .flatMap((value) => value.split(","))
    .map((name) => name.trim());
  const chosen = supported.find((name) => offered.includes(name));
  if (chosen === undefined) {
    throw new UpgradeError(`unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${supported.join(" ")}]`);
  }
  return ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1", `X-Stream-Protocol-Version: ${chosen}`, "\r\n"].join("\r\n");
}

/** Writes the 101 and serves. From here on nothing is thrown: the caller could only answer into the middle of a stream. */
async function serve(socket: Duplex, answer: string, session: () => Promise<void>): Promise<void> {
  // Small frames (a keystroke, a status) must not wait for more to come.
  if ("setNoDelay" in socket && typeof socket.setNoDelay === "function") socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.write(answer);
  try {
    await session();
  } catch {
    socket.destroy();
  }
}
