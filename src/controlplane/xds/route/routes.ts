import { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { encodeResource } from "../encode.ts";
import { gatewayRoutes } from "../gateway/routes.ts";
import { Memo } from "../memo.ts";
import type { ProxyContext } from "../proxy.ts";
import type { XdsResource } from "../types.ts";
import { sidecarRoutes } from "./sidecar.ts";

/** Makes the route configurations that proxies ask for by name. */
export class RouteGenerator {
  readonly #routes = new Memo<XdsResource>();

  generate(proxy: ProxyContext, names: readonly string[]): XdsResource[] {
    const { view, scope, mesh, node, targets } = proxy;
    const { configs } = mesh.snapshot;
    const workload = JSON.stringify([node.namespace, node.dnsDomain, node.labels]);
    return names.map((name) => {
      if (view.type === "sidecar") return this.#routes.get([scope, view, mesh.config, workload, name], () => encodeResource(RouteConfigurationSchema, name, sidecarRoutes(proxy, name)));
      const ports = targets.flatMap(({ service, port, targetPort }) => [service, port, targetPort]);
      const key = [scope, view, mesh.config, configs.Gateway, mesh.virtualServices, ...ports, workload, name];
      return this.#routes.get(key, () => encodeResource(RouteConfigurationSchema, name, gatewayRoutes(proxy, name)));
    });
  }
}
