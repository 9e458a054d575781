import { encoded } from "../../../proto/index.ts";
import { VirtualHostSchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { addressesForProxy, type MeshPort, type MeshService } from "../../registry/index.ts";
import { Memo } from "../memo.ts";
import { domainName, outboundCluster, traceOperation } from "../names.ts";
import type { ProxyContext } from "../proxy.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { serviceAddresses } from "../service-address.ts";
import { defaultRoute, type VirtualHost } from "./defaults.ts";
import { domainsKey, serviceDomains } from "./domains.ts";
import { hashOfService } from "./hash.ts";
import type { Route } from "./virtual-service.ts";

/** The names by which a host is called. */
export interface HostNames {
  readonly name: string;
  readonly domains: readonly string[];
  /** The domains in lower case, in which no two hosts may have the same. */
  readonly keys: readonly string[];
  /** The domains that give way to the same name in full. */
  readonly alternatives: ReadonlySet<string>;
}

/**
 * What route configurations have in common: those of different ports and namespaces list mostly the same hosts, which are
 * made and encoded once for all of them.
 */
export class SharedHosts {
  readonly #onPort = new Memo<MeshService>();
  readonly #routes = new Memo<readonly Route[]>();
  readonly #names = new Memo<HostNames>();
  readonly #hosts = new Memo<VirtualHost>();

  /** The service with one of its ports only. */
  onPort(service: MeshService, port: MeshPort): MeshService {
    return this.#onPort.get([service, port], () => ({ ...service, ports: [port] }));
  }

  /** The routes of a service that no VirtualService speaks of. */
  routes({ scope, node, mesh }: ProxyContext, service: MeshService, port: MeshPort): readonly Route[] {
    const rule = ruleOf(scope, service.hostname, node);
    return this.#routes.get([service, port, mesh.config, rule], () => [
      defaultRoute(outboundCluster(port.port, "", service.hostname), traceOperation(service.hostname, port.port), mesh.config, hashOfService(rule, port.port)),
    ]);
  }

  /** `ported` says that names are told apart by their ports. */
  names({ node, view }: ProxyContext, service: MeshService, port: number, ported: boolean): HostNames {
    return this.#names.get([service, view, port, ported, domainsKey(service, node.dnsDomain)], () => {
      const all = serviceAddresses(service, view);
      // Of addresses that were handed out only one is dialled.
      const addresses = addressesForProxy(service, view).length > 0 ? all : all.slice(0, 1);
      const { domains, alternatives } = serviceDomains(service, addresses, ported ? port : 0, node.dnsDomain);
      return { name: domainName(service.hostname, port), domains, keys: domains.map((domain) => domain.toLowerCase()), alternatives: new Set(alternatives) };
    });
  }

  /** The whole host, for `encode` only. */
  host(names: HostNames, routes: readonly Route[], includeRequestAttemptCount: boolean): VirtualHost {
    return this.#hosts.get([names, routes, includeRequestAttemptCount], () =>
      encoded(VirtualHostSchema, { name: names.name, domains: [...names.domains], routes: [...routes], includeRequestAttemptCount }),
    );
  }
}
