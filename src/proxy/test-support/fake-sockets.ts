import { connectMarked } from "../../linux/index.ts";
import type { ConnectOptions, ListenOptions, SocketAddress, SocketFactory } from "../types.ts";

/** Where a made-up address really is: a port on loopback, and whether reaching it passes a proxy's capture. */
interface Place {
  readonly port: () => number;
  readonly captured: FakeSockets | undefined;
}

/**
 * Sockets on loopback that pretend to be a pod's: made-up addresses lead to real ports, and connections that capture
 * would redirect carry their original destination.
 */
export class FakeSockets implements SocketFactory {
  readonly #places = new Map<string, Place>();
  /** Original destinations of the connections to be accepted, in the order of their connects. */
  readonly #destinations: SocketAddress[] = [];
  /** Every connect with what it was bound to. */
  readonly connects: { target: SocketAddress; bindAddress: string | undefined }[] = [];

  listen(options: ListenOptions): { hostname: string; port: number } {
    void options;
    return { hostname: "127.0.0.1", port: 0 };
  }

  connect(target: SocketAddress, { bindAddress }: ConnectOptions): number {
    this.connects.push({ target, bindAddress });
    const place = this.#places.get(`${target.address}:${target.port}`);
    if (!place) return connectMarked(target.address, target.port, 0);
    place.captured?.expect(target);
    return connectMarked("127.0.0.1", place.port(), 0, bindAddress === undefined ? {} : { bindAddress });
  }

  originalDestination(): SocketAddress | undefined {
    return this.#destinations.shift();
  }

  /** The next connection to be accepted was going there. */
  expect(destination: SocketAddress): void {
    this.#destinations.push(destination);
  }

  /** What listens at an address: an application's port, or the port of a proxy whose capture takes it. */
  place(address: string, port: () => number, captured?: FakeSockets): void {
    this.#places.set(address, { port, captured });
  }
}
