import { isIPv4 } from "node:net";
import { addressesForProxy, UNSPECIFIED, type MeshService } from "../registry/index.ts";
import type { ProxyView } from "./proxy.ts";

/** Every address of a service that a proxy may see connections for; "0.0.0.0" when it has none at all. */
export function serviceAddresses(service: MeshService, view: ProxyView): readonly string[] {
  const own = addressesForProxy(service, view);
  if (own.length > 0) return own;
  const handedOut = autoAddresses(service, view);
  if (handedOut.length > 0) return handedOut;
  return service.registry === "Kubernetes" && service.addresses.length > 0 ? [] : [service.address];
}

/** The address that a listener for the service listens on; "::" is to IPv6 what "0.0.0.0" is to IPv4. */
export function serviceListenAddress(service: MeshService, view: ProxyView): string {
  const first = serviceAddresses(service, view)[0] ?? service.address;
  return first === UNSPECIFIED && service.registry === "External" && view.ipv6 && !view.ipv4 ? "::" : first;
}

function autoAddresses(service: MeshService, view: ProxyView): readonly string[] {
  return view.dnsCapture ? service.autoAddresses.filter((address) => (isIPv4(address) ? view.ipv4 : view.ipv6)) : [];
}
