import type { ListenerSnapshot, SocketAddress } from "../types.ts";

/** /listeners as Envoy's text: a line for each address. */
export function listenersText(listeners: readonly ListenerSnapshot[]): string {
  return active(listeners)
    .flatMap(({ name, addresses }) => addresses.map(({ address, port }) => `${name}::${address.includes(":") ? `[${address}]` : address}:${port}\n`))
    .join("");
}

/** /listeners?format=json: envoy.admin.v3.Listeners. */
export function listenersJson(listeners: readonly ListenerSnapshot[]): object {
  const statuses = active(listeners).map(({ name, addresses: [first, ...more] }) => ({
    name,
    ...(first && { local_address: addressJson(first) }),
    ...(more.length > 0 && { additional_local_addresses: more.map(addressJson) }),
  }));
  return statuses.length > 0 ? { listener_statuses: statuses } : {};
}

function active(listeners: readonly ListenerSnapshot[]): ListenerSnapshot[] {
  return listeners.filter(({ state }) => state === "active");
}

function addressJson({ address, port }: SocketAddress): object {
  return { socket_address: { address, port_value: port } };
}
