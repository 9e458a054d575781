import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

/** A gRPC service that keeps each message of each call: unary calls are answered with an empty message. */
export class GrpcCollector<Desc extends DescMessage> {
  readonly messages: MessageShape<Desc>[] = [];
  readonly calls: IncomingHttpHeaders[] = [];
  readonly #server: Http2Server = createServer();

  constructor(private readonly schema: Desc) {
    this.#server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => this.#take(stream, headers));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.calls.push(headers);
    let bytes = Buffer.alloc(0);
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
        const end = 5 + bytes.readUInt32BE(1);
        this.messages.push(fromBinary(this.schema, bytes.subarray(5, end)));
        bytes = bytes.subarray(end);
      }
    });
    stream.on("end", () => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
  }
}

/** Waits for what happens soon; throws when it does not. */
export async function eventually<T>(look: () => T | undefined | false | Promise<T | undefined | false>, what: string, ms = 3000): Promise<T> {
  for (const end = performance.now() + ms; performance.now() < end; await Bun.sleep(10)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what}: it did not happen within ${ms} ms`);
}
