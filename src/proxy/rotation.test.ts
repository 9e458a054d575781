import { expect, test } from "bun:test";
import { endedStreams, headersFrame, responses } from "./test-support/churn/messages.ts";
import { Peer } from "./test-support/churn/peer.ts";
import { Random } from "./test-support/churn/random.ts";
import { World } from "./test-support/churn/world.ts";
import { PREFACE } from "./http2/frames.ts";
import { frame } from "./test-support/http2-frames.ts";

/** Requests go on while certificates change; a workload's leaf changes every twelve hours, and here fifteen times a second. */
const ROTATIONS = 6;
const EVERY_MS = 60;
/** Nothing takes so long, on the slowest of machines. */
const LATE_MS = 15_000;

test("leaves and roots rotate under load without a failed request", async () => {
  const world = await World.start(new Random(5), "15s");
  const port = world.client.port("out-http");
  let on = true;
  let served = 0;
  let handshakes = 0;
  const failures: string[] = [];

  /** Requests one after another on one connection, or each on its own. */
  const http1 = async (path: string, kept: boolean): Promise<void> => {
    let peer = await Peer.open(port);
    for (let sent = 0; on;) {
      peer.write(`GET ${path} HTTP/1.1\r\nHost: svc\r\n\r\n`);
      sent++;
      const outcome = await peer.until((received) => responses(received).length >= sent, LATE_MS);
      const status = responses(peer.received)[sent - 1];
      if (status === 200) served++;
      else failures.push(`HTTP/1 ${path}: ${outcome} ${status}`);
      if (kept && outcome === "fulfilled") continue;
      peer.end();
      peer = await Peer.open(port);
      sent = 0;
    }
    peer.end();
  };
  /** Five requests at a time on one connection. */
  const http2 = async (path: string): Promise<void> => {
    const peer = await Peer.open(port);
    peer.write(Buffer.concat([PREFACE, frame(4, 0, 0, Buffer.alloc(0))]));
    for (let stream = 1; on;) {
      for (let i = 0; i < 5; i++, stream += 2) peer.write(headersFrame(stream, path, true));
      const outcome = await peer.until((received) => endedStreams(received).ended.size >= (stream - 1) / 2, LATE_MS);
      if (outcome !== "fulfilled") failures.push(`HTTP/2 ${path}: ${outcome}`);
      else served += 5;
    }
    if (peer.received.includes("upstream connect error") || endedStreams(peer.received).goaway) failures.push(`HTTP/2 ${path}: refused`);
    peer.end();
  };

  /** A peer of its own, that makes a connection for each request. */
  const direct = async (): Promise<void> => {
    while (on) {
      const peer = await Peer.open(world.server.port("strict-http"), { ...world.identity, rejectUnauthorized: false });
      peer.write("GET /ok HTTP/1.1\r\nHost: svc\r\n\r\n");
      const outcome = await peer.until((received) => responses(received).length > 0, LATE_MS);
      if (responses(peer.received)[0] === 200) handshakes++;
      else failures.push(`a new connection: ${outcome} ${responses(peer.received)[0]}`);
      peer.end();
    }
  };

  const load = ["/ok", "/other/ok", "/slow"].flatMap((path) => [http1(path, true), http1(path, false), http2(path)]);
  /** Who trusts a root no more has waited until handshakes that began under it are over. */
  const handshakesDone = async (): Promise<void> => {
    for (const before = handshakes; handshakes < before + 2 && failures.length === 0;) await Bun.sleep(5);
  };
  const peers = direct();
  for (let i = 0; i < ROTATIONS; i++) {
    if (i % 3 === 2) await world.rotateRoot(handshakesDone);
    else world.rotateLeaves();
    await Bun.sleep(EVERY_MS);
  }
  on = false;
  await Promise.all([...load, peers]);
  const made = world.client.dataPlane
    .clusters()
    .filter(({ name }) => name !== "svc-tcp")
    .map(({ hosts }) => hosts[0]?.stats.cxTotal ?? 0);
  world.stop();
  expect(failures).toEqual([]);
  expect(served).toBeGreaterThan(ROTATIONS);
  // Connections have been made under several of the certificates, however slow the machine.
  expect(handshakes).toBeGreaterThan(2);
  for (const count of made) expect(count).toBeGreaterThan(1);
}, 40_000);
