import { ChainmailError } from "../../base/index.ts";
import { type Fields, fields, items, strings, text } from "./fields.ts";
import { ApiProblem, type Route, param } from "./router.ts";

/** A proxy's configuration in tables, as `istioctl proxy-config` prints them and Kiali's Envoy tab shows them. */
export interface ProxyTables {
  clusters: { service_fqdn: string; port: string; subset: string; direction: string; type: string; destination_rule: string }[];
  listeners: { address: string; port: string; match: string; destination: string }[];
  routes: { name: string; domains: string; match: string; virtual_service: string }[];
}

export const PROXY_ROUTES: Route[] = [
  {
    pattern: "/namespaces/:namespace/pods/:pod/config_dump",
    answer: async (request, { istiod }) => ({ ...(await dumpOf(istiod, request.params)), source: "istiod" }),
  },
  {
    pattern: "/namespaces/:namespace/pods/:pod/config_dump/:part",
    liveMs: 0,
    async answer(request, { istiod }) {
      const part = param(request, "part");
      const dump = await dumpOf(istiod, request.params);
      const tables = proxyTables(dump.configs);
      switch (part) {
        case "clusters":
          return { clusters: tables.clusters };
        case "listeners":
          return { listeners: tables.listeners };
        case "routes":
          return { routes: tables.routes };
        case "bootstrap":
          return { bootstrap: section(dump.configs, "BootstrapConfigDump") };
        case "tables":
          return tables;
        default:
          throw new ApiProblem(404, `no such part of a dump: ${part}`);
      }
    },
  },
];

async function dumpOf(
  istiod: { configDump(proxy: string): Promise<{ configs: Fields[] }> },
  { namespace = "", pod = "" }: Readonly<Record<string, string>>,
): Promise<{ configs: Fields[] }> {
  try {
    return await istiod.configDump(`${pod}.${namespace}`);
  } catch (thrown) {
    if (thrown instanceof ChainmailError && thrown.code === "PROXY_NOT_CONNECTED") throw new ApiProblem(404, `the proxy of ${pod} is not connected to istiod`);
    throw thrown;
  }
}

/** Tables from the parts of a config dump in protojson. Pure. */
export function proxyTables(configs: Fields[]): ProxyTables {
  const clusters = [
    ...items(section(configs, "ClustersConfigDump").dynamicActiveClusters),
    ...items(section(configs, "ClustersConfigDump").staticClusters),
  ].map(({ cluster }) => fields(cluster));
  const listeners = items(section(configs, "ListenersConfigDump").dynamicListeners).map(({ activeState }) => fields(fields(activeState).listener));
  const routes = [...items(section(configs, "RoutesConfigDump").dynamicRouteConfigs), ...items(section(configs, "RoutesConfigDump").staticRouteConfigs)].map(
    ({ routeConfig }) => fields(routeConfig),
  );
  return {
    clusters: clusters.map(clusterRow).sort((a, b) => (`${a.service_fqdn} ${a.port.padStart(6)}` < `${b.service_fqdn} ${b.port.padStart(6)}` ? -1 : 1)),
    listeners: listeners.flatMap(listenerRows).sort((a, b) => Number(a.port) - Number(b.port)),
    routes: routes.flatMap(routeRows),
  };
}

function clusterRow(cluster: Fields): ProxyTables["clusters"][number] {
  const name = text(cluster.name);
  const type = text(cluster.type) || text(fields(cluster.clusterType).name) || "STATIC";
  const parts = name.split("|");
  const config = text(fields(fields(fields(cluster.metadata).filterMetadata).istio).config);
  const rule = /\/namespaces\/([^/]+)\/destination-rule\/(.+)$/.exec(config);
  const destination_rule = rule ? `${rule[2]}.${rule[1]}` : "";
  if (parts.length !== 4) return { service_fqdn: name, port: "-", subset: "-", direction: "-", type, destination_rule };
  const [direction = "", port = "", subset = "", fqdn = ""] = parts;
  return { service_fqdn: fqdn, port: port || "-", subset: subset || "-", direction, type, destination_rule };
}

function listenerRows(listener: Fields): ProxyTables["listeners"] {
  const socket = fields(fields(listener.address).socketAddress);
  const [address, port] = [text(socket.address), String(socket.portValue ?? "")];
  const chains = [...items(listener.filterChains), ...(listener.defaultFilterChain ? [fields(listener.defaultFilterChain)] : [])];
  return chains.map((chain) => ({ address, port, match: matchText(fields(chain.filterChainMatch)), destination: destinationOf(chain) }));
}

/** `SNI: …; Trans: tls; App: TCP TLS; Addr: *:port`, or `ALL`. */
function matchText(match: Fields): string {
  const parts: string[] = [];
  const names = strings(match.serverNames);
  if (names.length > 0) parts.push(`SNI: ${names.join(",")}`);
  if (match.transportProtocol) parts.push(`Trans: ${text(match.transportProtocol)}`);
  const protocols = strings(match.applicationProtocols);
  if (protocols.length > 0) parts.push(`App: ${protocolText(protocols)}`);
  const port = match.destinationPort ? `:${String(match.destinationPort)}` : "";
  const ranges = items(match.prefixRanges).map(
    (range) => `${text(range.addressPrefix)}${range.prefixLen === 32 || range.prefixLen === undefined ? "" : `/${String(range.prefixLen)}`}`,
  );
  if (ranges.length > 0) parts.push(`Addr: ${ranges.map((range) => `${range}${port}`).join(",")}`);
  else if (port) parts.push(`Addr: *${port}`);
  return parts.length > 0 ? parts.join("; ") : "ALL";
}

function protocolText(protocols: string[]): string {
  const known: [string, (p: string) => boolean][] = [
    ["HTTP TLS", (p) => p.startsWith("istio-http")],
    ["TCP TLS", (p) => p === "istio" || p === "istio-peer-exchange"],
    ["HTTP", (p) => p === "http/1.1" || p === "h2c" || p === "http/1.0"],
  ];
  const words = known.filter(([, fits]) => protocols.some(fits)).map(([word]) => word);
  return words.length > 0 ? words.join(",") : protocols.join(",");
}

function destinationOf(chain: Fields): string {
  const parts = items(chain.filters).flatMap((filter): string[] => {
    const config = fields(filter.typedConfig);
    const type = text(config["@type"]);
    if (type.endsWith("HttpConnectionManager")) {
      const named = text(fields(config.rds).routeConfigName);
      if (named) return [`Route: ${named}`];
      const inline = fields(config.routeConfig);
      const clusters = new Set(items(inline.virtualHosts).flatMap((host) => items(host.routes).flatMap((route) => text(fields(route.route).cluster) || [])));
      return [
        clusters.size === 1
          ? `Cluster: ${[...clusters][0]}`
          : `Inline Route: ${items(inline.virtualHosts)
              .flatMap((host) => items(host.routes).map((route) => routeMatch(fields(route.match))))
              .join(", ")}`,
      ];
    }
    if (type.endsWith("TcpProxy")) {
      const cluster = text(config.cluster);
      return [
        cluster === "PassthroughCluster" || cluster === "BlackHoleCluster"
          ? cluster
          : `Cluster: ${
              cluster ||
              items(fields(config.weightedClusters).clusters)
                .map((c) => text(c.name))
                .join(", ")
            }`,
      ];
    }
    return [];
  });
  return parts.join(" ") || "Non-HTTP/Non-TCP";
}

function routeRows(route: Fields): ProxyTables["routes"] {
  const name = text(route.name);
  return items(route.virtualHosts).flatMap((host) => {
    const domains = strings(host.domains);
    const shown = domains.length > 3 ? `${domains.slice(0, 2).join(", ")} + ${domains.length - 2} more` : domains.join(", ");
    const rows = items(host.routes).filter((r) => text(fields(r.route).cluster) !== "PassthroughCluster");
    if (rows.length === 0) return items(host.routes).length === 0 ? [{ name, domains: shown, match: "", virtual_service: "404" }] : [];
    return rows.map((r) => {
      const config = text(fields(fields(fields(r.metadata).filterMetadata).istio).config);
      const service = /\/namespaces\/([^/]+)\/virtual-service\/(.+)$/.exec(config);
      return { name, domains: shown, match: routeMatch(fields(r.match)), virtual_service: service ? `${service[2]}.${service[1]}` : "" };
    });
  });
}

function routeMatch(match: Fields): string {
  const path =
    match.prefix !== undefined
      ? `${text(match.prefix)}*`
      : match.path !== undefined
        ? text(match.path)
        : match.pathSeparatedPrefix !== undefined
          ? `PathPrefix:${text(match.pathSeparatedPrefix)}`
          : match.safeRegex !== undefined
            ? `regex ${text(fields(match.safeRegex).regex)}`
            : "";
  const headers = items(match.headers)
    .map((header) => text(header.name))
    .filter((header) => header !== ":method");
  return headers.length > 0 ? `${path} (headers: ${headers.join(", ")})` : path;
}

function section(configs: Fields[], type: string): Fields {
  return configs.find((config) => text(config["@type"]).endsWith(`.${type}`)) ?? {};
}
