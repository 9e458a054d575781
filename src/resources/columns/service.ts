import type { Endpoints, EndpointSlice, Service } from "../core.ts";
import type { Column } from "../types.ts";
import { ageColumn, column, firstThree, formatLabels, nameColumn } from "./format.ts";

export const serviceColumns: Column[] = [
  nameColumn,
  column("Type", "string", "how it is reached", (o) => (o as Service).spec?.type ?? ""),
  column("Cluster-IP", "string", "its address inside the cluster", (o) => (o as Service).spec?.clusterIPs?.[0] ?? "<none>"),
  column("External-IP", "string", "its addresses outside the cluster", (o) => externalAddresses(o as Service)),
  column("Port(s)", "string", "port, node port and protocol", (o) => servicePorts(o as Service)),
  ageColumn,
  column("Selector", "string", "labels of its pods", (o) => formatLabels((o as Service).spec?.selector), 1),
];

export const endpointsColumns: Column[] = [
  nameColumn,
  column("Endpoints", "string", "addresses that are ready", (o) => formatEndpoints(o as Endpoints)),
  ageColumn,
];

export const endpointSliceColumns: Column[] = [
  nameColumn,
  column("AddressType", "string", "kind of its addresses", (o) => (o as EndpointSlice).addressType),
  column("Ports", "string", "target ports", (o) => {
    const ports = (o as EndpointSlice).ports ?? [];
    return firstThree(
      ports.map((port) => (port.port !== undefined ? String(port.port) : (port.name ?? "*"))),
      "<unset>",
    );
  }),
  column("Endpoints", "string", "addresses", (o) =>
    firstThree(
      ((o as EndpointSlice).endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
      "<unset>",
    ),
  ),
  ageColumn,
];

function externalAddresses(service: Service): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {};
  if (type === "ExternalName") return externalName ?? "";
  if (type !== "LoadBalancer") return externalIPs.length > 0 ? externalIPs.join(",") : "<none>";
  const balanced = new Set(
    (service.status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip || ingress.hostname || "").filter((address) => address !== ""),
  );
  const all = [...[...balanced].sort(), ...externalIPs];
  return all.length > 0 ? all.join(",") : "<pending>";
}

function servicePorts(service: Service): string {
  const ports = service.spec?.ports ?? [];
  if (ports.length === 0) return "<none>";
  return ports.map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol}`).join(",");
}

function formatEndpoints(endpoints: Endpoints): string {
  const list: string[] = [];
  for (const { addresses = [], ports = [] } of endpoints.subsets ?? []) {
    if (ports.length === 0) list.push(...addresses.map((address) => address.ip));
    for (const { port } of ports) list.push(...addresses.map(({ ip }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)));
  }
  return firstThree(list, "<none>");
}
