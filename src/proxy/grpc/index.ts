/**
 * grpc is a small gRPC client over an own HTTP/2 layer, for what a proxy and its agent ask of a control plane.
 * It exists because every pod runs one: libraries for it cost more memory than all the rest of the agent.
 * It knows bytes, not messages: callers encode and decode.
 */
export { GrpcClient, type GrpcStream, type GrpcStreamHandlers } from "./client.ts";
export { DialError, tcpDial, tlsDial, unixDial, type ConnectFd, type Dial, type TlsDialOptions } from "./dial.ts";
export { GrpcError, type GrpcStatus } from "./status.ts";
export { serveGrpcUnix, type GrpcCall, type GrpcCallAcceptor, type GrpcCallHandlers } from "./server.ts";
export type { HeaderList } from "./hpack.ts";
