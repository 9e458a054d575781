/**
 * streams speaks the protocols by which kubectl and consoles stream to pods: exec and attach over WebSocket (v5, v4) and
 * SPDY (v4), port-forward over SPDY, over SPDY inside a WebSocket and over a WebSocket's channels. It knows sockets,
 * processes' streams and a dialer; who may stream, and what runs, is its callers' business.
 */
export { handleExecUpgrade, handlePortForwardUpgrade, type ExecUpgradeOptions } from "./upgrade.ts";
export { StreamProtocolError, UpgradeError } from "./errors.ts";
export type { PortDialer } from "./port-forward.ts";
