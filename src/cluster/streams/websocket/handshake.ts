import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { UpgradeError } from "../errors.ts";

/** RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export function isWebSocketUpgrade(request: IncomingMessage): boolean {
  return (request.headers.upgrade ?? "").toLowerCase() === "websocket";
}

/** The first of our subprotocols (best first) that the client offers. Throws UpgradeError when there is none. */
export function chooseSubprotocol(request: IncomingMessage, supported: readonly string[]): string {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  const chosen = supported.find((name) => offered.includes(name));
  if (chosen === undefined) {
    throw new UpgradeError(
      `unable to upgrade: none of the client's subprotocols (${offered.join(", ") || "none"}) is supported; supported are ${supported.join(", ")}`,
    );
  }
  return chosen;
}

/** The 101 answer to a WebSocket request. Throws UpgradeError when its headers are not those of one. */
export function websocketAccept(request: IncomingMessage, subprotocol: string): string {
  const key = request.headers["sec-websocket-key"];
  if (request.method !== "GET" || key === undefined || Buffer.from(key, "base64").length !== 16 || request.headers["sec-websocket-version"] !== "13") {
    throw new UpgradeError("unable to upgrade: not a WebSocket request of version 13");
  }
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${createHash("sha1")
      .update(key + GUID)
      .digest("base64")}`,
    `Sec-WebSocket-Protocol: ${subprotocol}`,
    "\r\n",
  ].join("\r\n");
}
