import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import type { Row } from "../run.ts";
import { SERVER_NAME, type Identity } from "./certificates.ts";
import { ratio, type Part } from "./part.ts";
import { startPair, type Pair } from "./peers.ts";
import { cpuMicros, firstLine, freePort, median } from "./processes.ts";

const ROUNDS = 5;
/** Not counted: until just-in-time compilers are done with what every connection runs. */
const WARM_ROUNDS = 3;
/** So many at a time, so often: about a second of one core. */
const PARALLEL = 8;
const HANDSHAKES = 800;
const END_MS = 10_000;

/** What takes handshakes. */
type Target = Pick<Pair, "name" | "tlsPort" | "serverHop" | "stop">;

/** mTLS handshakes with the server's hop by TLS 1.3, full ones and resumed ones: what they cost it, and what Bun alone costs. */
export const handshakes: Part = async ({ peers, pairOptions, http }) => {
  const context = clientContext(pairOptions.identities.client);
  const all: Target[] = [];
  try {
    for (const peer of peers) all.push(await startPair(peer, { ...pairOptions, backendPort: http }));
    if (peers.some(({ name }) => name === "chainmail")) all.push(await startBare(pairOptions.identities.server, pairOptions.folder));
    const rows: Row[] = [];
    for (const kind of ["full", "resumed"] as const) {
      // The bare server answers no request, and so sends no ticket.
      const pairs = all.filter(({ name }) => kind === "full" || name !== BARE);
      const found = new Map<string, number[]>(pairs.map(({ name }) => [name, []]));
      for (let round = -WARM_ROUNDS; round < ROUNDS; round++) {
        for (const pair of pairs) {
          const micros = await shakeHands(pair, context, kind === "resumed");
          if (round >= 0) found.get(pair.name)?.push(micros);
        }
      }
      const figures = new Map([...found].map(([name, values]) => [name, median(values)]));
      const how = `server's hop; median of ${ROUNDS} x ${HANDSHAKES}, TLS 1.3, client certificate verified`;
      for (const [name, value] of figures) {
        rows.push({ name: `${name}: CPU a ${kind} handshake`, value, unit: "us", how });
        rows.push({ name: `${name}: ${kind} handshakes a CPU second`, value: 1e6 / value, unit: "/s", how });
      }
      rows.push(...ratio(`CPU a ${kind} handshake`, figures, kind === "full" ? 1.05 : undefined, "server's hop"));
    }
    return rows;
  } finally {
    await Promise.all(all.map((each) => each.stop()));
  }
};

const BARE = "bare Bun";

/** `bare-tls.ts`, with the chain that our proxy shows. */
async function startBare({ certificate, key, root }: Identity, folder: string): Promise<Target> {
  const tlsPort = await freePort();
  const chain = join(folder, "bare-chain.pem");
  writeFileSync(chain, readFileSync(certificate, "utf8") + readFileSync(root, "utf8"));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare-tls.ts"), String(tlsPort), chain, key, root], { stdout: "pipe", stderr: "inherit" });
  await firstLine(child.stdout);
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { name: BARE, tlsPort, serverHop: child.pid, stop };
}

async function shakeHands({ name, tlsPort, serverHop }: Target, context: SecureContext, resume: boolean): Promise<number> {
  const session = resume ? (await shake(tlsPort, context, undefined, true)).session : undefined;
  if (resume && !session) throw new Error(`${name} gives no session tickets`);
  const before = cpuMicros([serverHop]);
  let left = HANDSHAKES;
  let reused = 0;
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (left-- > 0) if ((await shake(tlsPort, context, session)).reused) reused++;
    }),
  );
  // The last connections' ends are theirs too.
  await Bun.sleep(50);
  if (reused !== (resume ? HANDSHAKES : 0)) throw new Error(`${name}: ${reused} of ${HANDSHAKES} handshakes were resumed`);
  return (cpuMicros([serverHop]) - before) / HANDSHAKES;
}

/**
 * A handshake, then a regular end that waits for the server's: in TLS 1.3 the client's side is done before the server has
 * looked at the client's certificate, and a connection that is dropped then would measure half a handshake. For a ticket a
 * request is made too, since BoringSSL's servers send theirs with the first answer.
 */
function shake(
  port: number,
  secureContext: SecureContext,
  session: Buffer | undefined,
  wantsTicket = false,
): Promise<{ reused: boolean; session: Buffer | undefined }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ reused: boolean; session: Buffer | undefined }>();
  // Names are the mesh's: a check against host names is not what is measured here.
  const socket = connect({
    host: "127.0.0.1",
    port,
    secureContext,
    servername: SERVER_NAME,
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: false,
    ...(session && { session }),
  });
  let reused = false;
  let ticket: Buffer | undefined;
  socket.once("error", reject);
  socket.once("secureConnect", () => {
    reused = socket.isSessionReused();
    if (wantsTicket) socket.write("GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    else socket.end();
  });
  socket.on("session", (given: Buffer) => (ticket = given));
  // Without a reader the end is not seen.
  socket.on("data", () => {});
  socket.once("close", () => resolve({ reused, session: ticket }));
  setTimeout(() => reject(new Error(`the server on port ${port} did not end a connection`)), END_MS).unref();
  return promise;
}

function clientContext({ certificate, key, root }: Identity): SecureContext {
  return createSecureContext({ cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(root) });
}
