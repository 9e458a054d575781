/**
 * What Bun itself costs: a server on this port that takes TLS as the proxy's listener does, by upgrading the accepted socket
 * with its first bytes, verifies the client's certificate, and ends when the client does. Nothing of the proxy is in it.
 * Started with port, certificate, key and root.
 */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";

interface Bare {
  data: unknown;
  upgradeTLS(options: object): [Bare, Bare];
  end(): void;
}

const [port = "", certificate = "", key = "", root = ""] = process.argv.slice(2);
const secureContext = (
  createSecureContext({
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(root),
    requestCert: true,
    rejectUnauthorized: true,
  } as object) as unknown as { context: object }
).context;
/** http/1.1, after its length. */
const ALPNProtocols = Buffer.from("\x08http/1.1", "latin1");
const nothing = () => {};
const secure = {
  binaryType: "buffer",
  open: nothing,
  data: nothing,
  drain: nothing,
  end: (socket: Bare) => socket.end(),
  close: nothing,
  error: nothing,
  handshake: nothing,
};

const listen = (Bun as unknown as { listen(options: object): unknown }).listen;
listen({
  hostname: "127.0.0.1",
  port: Number(port),
  allowHalfOpen: true,
  socket: {
    binaryType: "buffer",
    open: nothing,
    data(socket: Bare, chunk: Buffer) {
      if (socket.data) return;
      socket.data = true;
      socket.upgradeTLS({
        isServer: true,
        initialData: chunk,
        data: undefined,
        tls: { secureContext, requestCert: true, rejectUnauthorized: true, ALPNProtocols },
        socket: secure,
      });
    },
    end: nothing,
    close: nothing,
    error: nothing,
  },
});
console.log("ready");
