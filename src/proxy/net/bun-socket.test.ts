import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSecureContext } from "node:tls";
import { connectMarked, getSocketOption, shortestRoundTrip, SocketOption } from "../../linux/index.ts";
import { makeRoot, makeWorkload } from "../test-support/certificates.ts";
import { alpnWire, bunNet, type BunSocket, type NativeSecureContext, type SocketEvents } from "./bun-socket.ts";

/** One test for each undocumented call that the data plane stands on: a new Bun shows here what it broke. */

let server: NativeSecureContext;
let client: NativeSecureContext;
const stops: (() => void)[] = [];

beforeAll(async () => {
  const root = await makeRoot();
  const make = async (id: string): Promise<NativeSecureContext> => {
    const { certificateChainPem, privateKeyPem } = await makeWorkload(root, id);
    return (createSecureContext({ cert: certificateChainPem, key: privateKeyPem, ca: root.certificate.pem }) as unknown as { context: NativeSecureContext })
      .context;
  };
  server = await make("spiffe://td/ns/a/sa/server");
  client = await make("spiffe://td/ns/a/sa/client");
});
afterAll(() => {
  for (const stop of stops) stop();
});

const events = (own: Partial<SocketEvents>): SocketEvents => ({
  binaryType: "buffer",
  open() {},
  data() {},
  drain() {},
  end() {},
  close() {},
  error() {},
  ...own,
});

function listen(own: Partial<SocketEvents>): number {
  const listening = bunNet.listen({ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, socket: events(own) });
  stops.push(() => listening.stop(true));
  return listening.port;
}

const connect = (port: number, own: Partial<SocketEvents>, tls?: { alpn?: string[]; session?: Buffer }): Promise<BunSocket> =>
  bunNet.connect({
    fd: connectMarked("127.0.0.1", port, 0),
    allowHalfOpen: true,
    data: undefined,
    ...(tls
      ? { tls: { secureContext: client, servername: "x.y", rejectUnauthorized: false, ...(tls.alpn ? { ALPNProtocols: alpnWire(tls.alpn) } : {}) } }
      : {}),
    socket: events({ ...own, open: (socket) => (tls?.session ? socket.setSession(tls.session) : undefined, own.open?.(socket)) }),
  });

/** Upgrades an accepted socket with the bytes that were read to see what it is. */
function upgradingServer(secure: Partial<SocketEvents>, options: { reject?: boolean } = {}): number {
  return listen({
    data(socket, chunk) {
      if (socket.data !== undefined) return;
      socket.data = "upgraded";
      socket.upgradeTLS({
        isServer: true,
        initialData: chunk,
        data: "secure",
        tls: { secureContext: server, requestCert: true, rejectUnauthorized: options.reject ?? true, ALPNProtocols: alpnWire(["istio", "http/1.1"]) },
        socket: events(secure),
      });
    },
  });
}

describe("Bun's sockets", () => {
  test("a large chunk has memory of its own, which can be given back, and the socket its descriptor", async () => {
    const { promise, resolve } = Promise.withResolvers<{ own: boolean; left: number; roundTrip: number | undefined }>();
    const take = (socket: BunSocket, chunk: Buffer): void => {
      if (chunk.length < 16 * 1024) return;
      const own = chunk.buffer.byteLength === chunk.length;
      (chunk.buffer as ArrayBuffer).transfer(0);
      resolve({ own, left: chunk.length, roundTrip: shortestRoundTrip(socket.fd) });
    };
    await connect(upgradingServer({ data: take }), { handshake: (socket) => void socket.write(Buffer.alloc(200_000)) }, {});
    const { own, left, roundTrip } = await promise;
    expect({ own, left }).toEqual({ own: true, left: 0 });
    expect(roundTrip).toBeNumber();
  });

  test("accept with TCP_NODELAY set, which saves a call for each connection", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    await connect(listen({ open: (socket) => resolve(getSocketOption(socket.fd, SocketOption.TCP_NO_DELAY)) }), {});
    expect(await promise).toBe(1);
  });

  test("adopt a descriptor that is connected", async () => {
    const port = listen({ data: (socket, chunk) => void socket.write(chunk) });
    const text = await new Promise<string>(
      (resolve) => void connect(port, { open: (socket) => void socket.write(Buffer.from("hi")), data: (_socket, chunk) => resolve(chunk.toString()) }),
    );
    expect(text).toBe("hi");
  });

  test("write a part of a buffer", async () => {
    const port = listen({ open: (socket) => void socket.write(Buffer.from("abcdef"), 2, 3) });
    expect(await new Promise<string>((resolve) => void connect(port, { data: (_socket, chunk) => resolve(chunk.toString()) }))).toBe("cde");
  });

  test("upgrade to server TLS with bytes already read, and tell both certificates", async () => {
    const seen = Promise.withResolvers<unknown>();
    const port = upgradingServer({
      handshake: (socket) =>
        seen.resolve([socket.data, socket.authorized, socket.alpnProtocol, socket.getPeerX509Certificate()?.subjectAltName, socket.getTLSVersion()]),
      data: (socket, chunk) => void socket.write(chunk),
    });
    const answer = Promise.withResolvers<string>();
    const certificate = Promise.withResolvers<number>();
    await connect(
      port,
      {
        handshake: (socket) => (certificate.resolve(socket.getPeerX509Certificate()?.raw.length ?? 0), void socket.write(Buffer.from("hi"))),
        data: (_socket, chunk) => answer.resolve(chunk.toString()),
      },
      { alpn: ["istio"] },
    );
    expect(await seen.promise).toEqual(["secure", true, "istio", "URI:spiffe://td/ns/a/sa/client", "TLSv1.3"]);
    expect(await answer.promise).toBe("hi");
    expect(await certificate.promise).toBeGreaterThan(200);
  });

  test("report a foreign name apart from a bad chain", async () => {
    const code = Promise.withResolvers<string | undefined>();
    await connect(upgradingServer({}), { handshake: (_socket, _success, error) => code.resolve(error?.code) }, {});
    expect(await code.promise).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  test("resume a session, and still know the peer", async () => {
    const reused: boolean[] = [];
    const peers: (string | undefined)[] = [];
    const port = upgradingServer({
      handshake: (socket) => (reused.push(socket.isSessionReused()), void peers.push(socket.getPeerX509Certificate()?.subjectAltName)),
      data: (socket, chunk) => void socket.write(chunk),
    });
    let session: Buffer | undefined;
    const once = (): Promise<void> =>
      new Promise((resolve) => {
        void connect(
          port,
          {
            handshake: (socket) => void socket.write(Buffer.from("x")),
            session: (_socket, ticket) => void (session = ticket),
            data: (socket) => (socket.end(), resolve()),
          },
          session ? { session } : {},
        );
      });
    await once();
    await once();
    expect(reused).toEqual([false, true]);
    expect(peers).toEqual(["URI:spiffe://td/ns/a/sa/client", "URI:spiffe://td/ns/a/sa/client"]);
  });

  test("half-close, and reset by terminate", async () => {
    const log: string[] = [];
    const port = listen({ end: (socket) => (log.push("fin"), socket.write(Buffer.from("late")), void socket.end()) });
    const text = await new Promise<string>(
      (resolve) => void connect(port, { open: (socket) => socket.shutdown(), data: (_socket, chunk) => resolve(chunk.toString()) }),
    );
    expect([text, ...log]).toEqual(["late", "fin"]);
    const resetter = listen({ data: (socket) => socket.terminate() });
    const code = await new Promise<string | undefined>(
      (resolve) =>
        void connect(resetter, {
          open: (socket) => void socket.write(Buffer.from("x")),
          close: (_socket, error) => resolve((error as { code?: string } | undefined)?.code),
        }),
    );
    expect(code).toBe("ECONNRESET");
  });

  test("hand out buffers that stay valid: Channel keeps chunks without copying them", async () => {
    const chunks: Buffer[] = [];
    const port = listen({ data: (_socket, chunk) => void chunks.push(chunk) });
    const socket = await connect(port, {});
    socket.write(Buffer.from("first"));
    await Bun.sleep(20);
    socket.write(Buffer.from("second"));
    await Bun.sleep(20);
    expect(chunks.map(String)).toEqual(["first", "second"]);
  });

  test("report what a handler throws to its error handler, and go on", async () => {
    const thrown = Promise.withResolvers<Error>();
    const port = listen({
      data() {
        throw new TypeError("ours");
      },
      error: (_socket, error) => thrown.resolve(error),
    });
    const socket = await connect(port, {});
    socket.write(Buffer.from("x"));
    expect((await thrown.promise).message).toBe("ours");
    expect("code" in (await thrown.promise)).toBe(false);
  });
});
