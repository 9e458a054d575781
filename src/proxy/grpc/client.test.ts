import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../base/index.ts";
import { selfSigned } from "./test-certificates.ts";
import { GrpcClient, tlsDial, type GrpcStatus } from "./index.ts";

/** grpc-js is the oracle: an implementation of the protocol that others wrote. */
let server: grpc.Server;
let port = 0;
const certificate = selfSigned("istiod.istio-system.svc");
const other = selfSigned("istiod.istio-system.svc");

beforeAll(async () => {
  server = new grpc.Server();
  const raw = (bytes: Buffer): Buffer => bytes;
  const method = (name: string, stream: boolean) => ({
    path: `/test.Echo/${name}`,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  });
  server.addService(
    { both: method("both", true), one: method("one", false) },
    {
      both(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
        call.on("data", (message: Buffer) => call.write(message));
        call.on("end", () => call.end());
      },
      one(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
        if (call.request.toString() === "wait") return;
        if (call.metadata.get("authorization")[0] !== "Bearer token")
          done({ code: grpc.status.UNAUTHENTICATED, details: "request authenticate failure: 50 % ✗" });
        else done(null, call.request);
      },
    },
  );
  const credentials = grpc.ServerCredentials.createSsl(null, [{ private_key: Buffer.from(certificate.keyPem), cert_chain: Buffer.from(certificate.pem) }]);
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
});
afterAll(() => server.forceShutdown());

const connect = (options: { roots?: string; name?: string } = {}): Promise<GrpcClient> =>
  GrpcClient.connect({
    dial: tlsDial({ host: "127.0.0.1", port, serverName: options.name ?? "istiod.istio-system.svc", rootsPem: () => options.roots ?? certificate.pem }),
    authority: "istiod.istio-system.svc:15012",
    clock: systemClock,
  });

test("unary calls carry metadata and bring the answer or the server's status", async () => {
  const client = await connect();
  const answer = await client.unary("test.Echo/one", [["authorization", "Bearer token"]], Buffer.from("hello"), 2000);
  expect(Buffer.from(answer).toString()).toBe("hello");
  await expect(client.unary("test.Echo/one", [], Buffer.from("x"), 2000)).rejects.toThrow("UNAUTHENTICATED: request authenticate failure: 50 % ✗");
  await expect(client.unary("test.Echo/none", [], Buffer.from("x"), 2000)).rejects.toThrow("UNIMPLEMENTED");
  await expect(client.unary("test.Echo/one", [], Buffer.from("wait"), 20)).rejects.toThrow("DEADLINE_EXCEEDED");
  client.close();
  await client.closed;
});

test("a stream carries messages larger than every window, both ways, in order", async () => {
  const client = await connect();
  const sizes = [0, 1, 100_000, 3_000_000, 5];
  const received: number[] = [];
  const { promise, resolve } = Promise.withResolvers<GrpcStatus>();
  const stream = client.stream("test.Echo/both", [], { message: (bytes) => void received.push(bytes.length), closed: resolve });
  for (const size of sizes) stream.send(Buffer.alloc(size, 7));
  stream.end();
  expect((await promise).code).toBe("OK");
  expect(received).toEqual(sizes);
  client.close();
});

test("a message above the limit ends the call, not the connection", async () => {
  const client = await connect();
  const { promise, resolve } = Promise.withResolvers<GrpcStatus>();
  const stream = client.stream("test.Echo/both", [], { message() {}, closed: resolve }, 1000);
  stream.send(Buffer.alloc(1001));
  expect((await promise).code).toBe("RESOURCE_EXHAUSTED");
  expect(client.usable).toBe(true);
  client.close();
});

test("a server with another root or another name is refused", async () => {
  await expect(connect({ roots: other.pem })).rejects.toThrow("certificate was not accepted");
  await expect(connect({ name: "istiod.other.svc" })).rejects.toThrow("certificate was not accepted");
});

test("calls hear when the connection is lost", async () => {
  const client = await connect();
  const { promise, resolve } = Promise.withResolvers<GrpcStatus>();
  client.stream("test.Echo/both", [], { message() {}, closed: resolve });
  client.close();
  expect((await promise).code).toBe("UNAVAILABLE");
  const again = Promise.withResolvers<GrpcStatus>();
  client.stream("test.Echo/both", [], { message() {}, closed: again.resolve });
  expect((await again.promise).code).toBe("UNAVAILABLE");
});

test("nothing listens: the error names the address", async () => {
  const dial = tlsDial({ host: "127.0.0.1", port: 1, serverName: "x", rootsPem: () => certificate.pem });
  await expect(GrpcClient.connect({ dial, authority: "x", clock: systemClock })).rejects.toThrow("127.0.0.1:1");
});
