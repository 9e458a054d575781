import { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { labelsKey } from "../dependence.ts";
import { encodeResource } from "../encode.ts";
import { gatewayRoutes } from "../gateway/routes.ts";
import { Memo } from "../memo.ts";
import type { ProxyContext } from "../proxy.ts";
import type { XdsResource } from "../types.ts";
import { SharedHosts } from "./shared-hosts.ts";
import { sidecarRoutes } from "./sidecar.ts";

/** More names than one gateway's listeners have. */
const MAX_GATEWAY_ROUTES = 4096;

/** Makes the route configurations that proxies ask for by name. */
export class RouteGenerator {
  readonly #routes = new Memo<XdsResource>();
  readonly #ports = new Memo<ReadonlySet<number>>();
  readonly #gateway = new Memo<Map<string, XdsResource>>();
  readonly #answers = new Memo<readonly XdsResource[]>();
  readonly #hosts = new SharedHosts();

  generate(proxy: ProxyContext, names: readonly string[]): readonly XdsResource[] {
    if (proxy.view.type !== "sidecar") return this.#each(proxy, names);
    const { view, scope, mesh, node } = proxy;
    return this.#answers.get([scope, names, view, mesh.config, node.namespace, node.dnsDomain, labelsKey(proxy)], () => this.#each(proxy, names));
  }

  #each(proxy: ProxyContext, names: readonly string[]): XdsResource[] {
    const { view, scope, mesh, node, targets } = proxy;
    const { configs } = mesh.snapshot;
    const workload = JSON.stringify([node.namespace, node.dnsDomain, labelsKey(proxy)]);
    const known = this.#ports.get(
      [scope],
      () =>
        new Set(scope.listeners.flatMap(({ spec, services }) => [spec?.port?.number ?? 0, ...services.flatMap(({ ports }) => ports.map(({ port }) => port))])),
    );
    return names.map((name) => {
      const make = () =>
        encodeResource(RouteConfigurationSchema, name, view.type === "sidecar" ? sidecarRoutes(proxy, name, this.#hosts) : gatewayRoutes(proxy, name));
      if (view.type === "sidecar") return isNamed(proxy, known, name) ? this.#routes.get([scope, view, mesh.config, workload, name], make) : make();
      const ports = targets.flatMap(({ service, port, targetPort }) => [service, port, targetPort]);
      const answers = this.#gateway.get(
        [scope, view, mesh.config, configs.Gateway, mesh.virtualServices, ...ports, workload],
        () => new Map<string, XdsResource>(),
      );
      const answer = answers.get(name) ?? make();
      if (answers.size < MAX_GATEWAY_ROUTES) answers.set(name, answer);
      return answer;
    });
  }
}

/** Whether a listener may ask for the name. Answers to others are not kept, or any client could fill our memory. */
function isNamed({ scope }: ProxyContext, ports: ReadonlySet<number>, name: string): boolean {
  const colon = name.lastIndexOf(":");
  return ports.has(Number(name.slice(colon + 1))) && (colon < 0 || scope.byHostname.has(name.slice(0, colon)));
}
