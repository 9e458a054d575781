import type { Gateway, Server } from "../../../resources/index.ts";
import { isHttp, parseProtocol, selects } from "../../registry/index.ts";
import type { ServiceTarget } from "../targets.ts";

/** One server of a Gateway, bound to a port of the workload. */
export interface MergedServer {
  readonly server: Server;
  /** `<namespace>/<name>` of its Gateway, as VirtualServices name it. */
  readonly gateway: string;
  /** The RDS name of its routes; empty when it has none. */
  readonly routeName: string;
  readonly sniHosts: readonly string[];
}

/** Servers that share a port, a bind address and a protocol. */
export interface MergedPort {
  readonly number: number;
  readonly protocol: string;
  readonly bind: string;
  readonly routeName: string;
  readonly servers: MergedServer[];
}

export interface MergedGateway {
  readonly ports: readonly MergedPort[];
  readonly routes: ReadonlyMap<string, readonly MergedServer[]>;
  /** Whether a server routes by SNI names of the mesh, for which there must be clusters. */
  readonly autoPassthrough: boolean;
}

const NO_TRANSLATION = "experimental.istio.io/disable-gateway-port-translation";

/** What all Gateways that select a workload make of its ports. `gateways` oldest first: of conflicting servers the oldest stays. */
export function mergeGateways(gateways: readonly Gateway[], labels: Readonly<Record<string, string>>, targets: readonly ServiceTarget[]): MergedGateway {
  const merger = new Merger(targets);
  for (const gateway of gateways) {
    if (gateway.spec?.selector && !selects(gateway.spec.selector, labels)) continue;
    for (const server of gateway.spec?.servers ?? [])
      if (server.port) merger.add(gateway, { ...server, hosts: hostsIn(server.hosts, gateway.metadata.namespace ?? "") });
  }
  return merger.result();
}

export function isPassthrough({ tls }: Server): boolean {
  return tls !== undefined && (tls.mode === undefined || tls.mode === "PASSTHROUGH" || tls.mode === "AUTO_PASSTHROUGH");
}

/** Whether routes decide what happens: HTTP, or HTTPS that ends here. */
export function isHttpServer(server: Server): boolean {
  const protocol = parseProtocol(server.port.protocol);
  return isHttp(protocol) || (protocol === "HTTPS" && !isPassthrough(server));
}

class Merger {
  readonly #ports: MergedPort[] = [];
  readonly #routes = new Map<string, MergedServer[]>();
  readonly #plain = new Map<number, MergedPort>();
  readonly #tlsHosts = new TlsHosts();
  #autoPassthrough = false;

  constructor(readonly targets: readonly ServiceTarget[]) {}

  result(): MergedGateway {
    return { ports: this.#ports, routes: this.#routes, autoPassthrough: this.#autoPassthrough };
  }

  add({ metadata }: Gateway, server: Server): void {
    const number = this.#targetPort(server.port.number);
    const bind = server.bind ?? "";
    const routeName = routeNameOf(server, number, metadata);
    const merged: MergedServer = {
      server,
      gateway: `${metadata.namespace}/${metadata.name}`,
      routeName,
      sniHosts: server.tls ? [...new Set(server.hosts.map((host) => host.slice(host.indexOf("/") + 1)))].sort() : [],
    };
    if (server.tls && !this.#tlsHosts.claim(number, server.hosts, bind)) return;
    if (server.tls?.mode === "AUTO_PASSTHROUGH") this.#autoPassthrough = true;
    const plain = this.#plain.get(number);
    if (plain && plain.bind === bind) this.#join(plain, merged);
    else if (!this.#ports.some((port) => port.number === number) || plain || !isTls(server)) this.#open(number, bind, merged);
    else this.#addTls(number, bind, merged);
  }

  /** A server beside others without TLS on the same address: HTTP joins HTTP. */
  #join(plain: MergedPort, merged: MergedServer): void {
    const protocol = parseProtocol(merged.server.port.protocol);
    const current = parseProtocol(plain.protocol);
    if (!isHttp(protocol) || !(isHttp(current) || current === protocol) || merged.routeName === "") return;
    plain.servers.push(merged);
    this.#route(merged);
  }

  #open(number: number, bind: string, merged: MergedServer): void {
    const { server, routeName } = merged;
    const existing = this.#find(number, bind, server.port.protocol);
    if (existing) {
      existing.servers.push(merged);
      this.#route(merged);
      return;
    }
    const port: MergedPort = { number, protocol: server.port.protocol, bind, routeName, servers: [merged] };
    this.#ports.push(port);
    if (!isTls(server)) this.#plain.set(number, port);
    if (isHttpServer(server)) this.#routes.set(routeName, [merged]);
  }

  /** Servers with TLS are told apart by SNI, so that many fit on one port. */
  #addTls(number: number, bind: string, merged: MergedServer): void {
    const { server, routeName } = merged;
    if (isHttpServer(server)) {
      // Routes are asked for by name: two servers of one name would get each other's.
      if (routeName === "" || this.#routes.has(routeName)) return;
      this.#routes.set(routeName, [merged]);
    }
    const existing = this.#find(number, bind, server.port.protocol);
    if (existing) existing.servers.push(merged);
    else this.#ports.push({ number, protocol: server.port.protocol, bind, routeName: "", servers: [merged] });
  }

  #route(merged: MergedServer): void {
    const list = this.#routes.get(merged.routeName);
    if (list) list.push(merged);
    else this.#routes.set(merged.routeName, [merged]);
  }

  #find(number: number, bind: string, protocol: string): MergedPort | undefined {
    return this.#ports.find((port) => port.number === number && port.bind === bind && port.protocol === protocol);
  }

  /** The port of the workload behind a port of the gateway's service; without a service they are the same. */
  #targetPort(port: number): number {
    return this.targets.find((target) => target.port.port === port && target.service.labels[NO_TRANSLATION] === undefined)?.targetPort ?? port;
  }
}

/** Which hosts have a server with TLS already; a second one for the same host could never be reached. */
export class TlsHosts {
  readonly #binds = new Map<number, Map<string, string>>();

  /** False when any of the hosts is taken; else they are taken now. */
  claim(port: number, hosts: readonly string[], bind: string): boolean {
    const known = this.#binds.get(port) ?? new Map<string, string>();
    this.#binds.set(port, known);
    if (hosts.some((host) => known.get(host) === bind)) return false;
    for (const host of hosts) known.set(host, bind);
    return true;
  }
}

function isTls({ tls, port }: Server): boolean {
  return tls !== undefined && !isHttp(parseProtocol(port.protocol));
}

/** `./host` means the Gateway's own namespace, `*` + `/host` any. */
function hostsIn(hosts: readonly string[], namespace: string): string[] {
  const full = hosts.map((host) => {
    const slash = host.indexOf("/");
    if (slash < 0) return host;
    const [owner, name] = [host.slice(0, slash), host.slice(slash + 1)];
    return owner === "." ? `${namespace}/${name}` : owner === "*" ? name : host;
  });
  return hosts.includes("*/*") ? ["*"] : full;
}

/** Servers without TLS share their routes by port, those with it have routes of their own. */
function routeNameOf(server: Server, targetPort: number, metadata: { name: string; namespace?: string }): string {
  const bind = server.bind ? `.${server.bind}` : "";
  const protocol = parseProtocol(server.port.protocol);
  if (isHttp(protocol)) return `http.${targetPort}${bind}`;
  if (protocol === "HTTPS" && !isPassthrough(server)) return `https.${server.port.number}.${server.port.name}.${metadata.name}.${metadata.namespace}${bind}`;
  return "";
}
