/** What a relay sends by and is told of: a socket of the host's or of the node's namespace. */
export interface Datagrams {
  send(data: Uint8Array, port: number, address: string): unknown;
  close(): void;
}

export type OpenDatagrams = (onData: (data: Uint8Array, port: number, address: string) => void) => Promise<Datagrams>;

export interface UdpRelayOptions {
  /** Bound to the port that clients know. */
  listen: OpenDatagrams;
  /** A socket in the node's namespace, which answers come back to. */
  connect: OpenDatagrams;
  /** Where the datagrams go; asked for each new client. */
  target(): { ip: string; port: number };
  now(): number;
  onRefused(reason: string): void;
}

/** As long as the kernel remembers a conversation by UDP that was answered. */
const IDLE_MS = 120_000;
/** A descriptor each. Beyond that the longest silent one makes room. */
const MAX_CLIENTS = 256;

interface Client {
  to: Promise<Datagrams>;
  target: { ip: string; port: number };
  used: number;
}

/** Relays datagrams: each client has a socket of its own on the far side, so that answers find their way back. */
export async function relayUdp(options: UdpRelayOptions): Promise<{ stop(): void }> {
  // In the order of their last use: the first is the longest silent.
  const clients = new Map<string, Client>();
  const drop = (key: string, client: Client): void => {
    clients.delete(key);
    void client.to.then(
      (socket) => socket.close(),
      () => {},
    );
  };
  // A datagram that the kernel does not take, such as one to a service without endpoints, is lost like any other.
  const sent = (send: () => unknown): void => {
    try {
      send();
    } catch (error) {
      options.onRefused(String(error));
    }
  };
  const near = await options.listen((data, port, address) => {
    const now = options.now();
    for (const [key, client] of clients) {
      if (now - client.used < IDLE_MS && clients.size < MAX_CLIENTS) break;
      drop(key, client);
    }
    const key = `${address} ${port}`;
    let client = clients.get(key);
    if (!client) {
      const target = options.target();
      const to = options.connect((answer, fromPort, from) => {
        // Whoever else sends to that socket is no service.
        if (from === target.ip && fromPort === target.port) sent(() => near.send(answer, port, address));
      });
      client = { to, target, used: now };
      to.catch((error: unknown) => {
        if (clients.get(key)?.to === to) clients.delete(key);
        options.onRefused(String(error));
      });
    }
    clients.delete(key);
    clients.set(key, { ...client, used: now });
    const { target } = client;
    // A copy: the buffer is Bun's, and the socket may come later.
    const copy = new Uint8Array(data);
    void client.to.then(
      (socket) => sent(() => socket.send(copy, target.port, target.ip)),
      () => {},
    );
  });
  return {
    stop() {
      near.close();
      for (const [key, client] of clients) drop(key, client);
    },
  };
}

/** A UDP socket of Bun's on an address, or on a descriptor that is bound. */
export async function udpSocket(where: { hostname: string; port: number } | { fd: number }, onData: Parameters<OpenDatagrams>[0]): Promise<Datagrams> {
  const socket = {
    data: (_: unknown, data: Buffer, port: number, address: string) => onData(data, port, address),
    // Somebody's port is closed: the datagram is lost, as any may be, and the socket goes on.
    error: () => {},
  };
  const options = { ...where, binaryType: "buffer", socket };
  // @types/bun does not know that a descriptor is taken.
  return Bun.udpSocket(options as unknown as Bun.udp.SocketOptions<"buffer">);
}
