import { afterEach, expect, test } from "bun:test";
import { relayUdp, udpSocket, type Datagrams } from "./udp-relay.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

/** A socket on a port of its own, and what came to it. */
async function peer(answer?: (text: string) => string): Promise<{ port: number; heard: string[]; send(text: string, port: number): void }> {
  const heard: string[] = [];
  const socket = (await udpSocket({ hostname: "127.0.0.1", port: 0 }, (data, port, address) => {
    heard.push(Buffer.from(data).toString());
    if (answer) socket.send(Buffer.from(answer(Buffer.from(data).toString())), port, address);
  })) as Datagrams & { port: number };
  open.push(socket);
  return { port: socket.port, heard, send: (text, port) => void socket.send(Buffer.from(text), port, "127.0.0.1") };
}

async function until(look: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await Bun.sleep(2)) if (look()) return;
  throw new Error("it never happened");
}

test("datagrams go to the service, answers to whom they belong; silent clients lose their sockets", async () => {
  const service = await peer((text) => `to ${text}`);
  let now = 0;
  let relayPort = 0;
  const far: Datagrams[] = [];
  let closed = 0;
  const relay = await relayUdp({
    listen: async (onData) => {
      const socket = (await udpSocket({ hostname: "127.0.0.1", port: 0 }, onData)) as Datagrams & { port: number };
      relayPort = socket.port;
      return socket;
    },
    connect: async (onData) => {
      const socket = await udpSocket({ hostname: "127.0.0.1", port: 0 }, onData);
      far.push(socket);
      return { send: (data, port, address) => socket.send(data, port, address), close: () => (closed++, socket.close()) };
    },
    target: () => ({ ip: "127.0.0.1", port: service.port }),
    now: () => now,
    onRefused: () => {},
  });
  const [one, two] = [await peer(), await peer()];
  one.send("one", relayPort);
  two.send("two", relayPort);
  await until(() => one.heard.length === 1 && two.heard.length === 1);
  expect([one.heard, two.heard, far.length]).toEqual([["to one"], ["to two"], 2]);
  // A stranger's datagram to the relay's far side is nobody's answer.
  const stranger = await peer();
  stranger.send("false", (far[0] as Datagrams & { port: number }).port);
  one.send("again", relayPort);
  await until(() => one.heard.length === 2);
  expect([one.heard[1], far.length]).toEqual(["to again", 2]);
  now = 130_000;
  two.send("later", relayPort);
  await until(() => two.heard.length === 2);
  await until(() => closed === 2);
  expect(far.length).toBe(3);
  relay.stop();
  await until(() => closed === 3);
});
