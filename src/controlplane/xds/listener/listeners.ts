import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import type { JwksSource } from "../../policy/index.ts";
import { encodeResource } from "../encode.ts";
import { Memo } from "../memo.ts";
import type { ProxyContext } from "../proxy.ts";
import type { XdsResource } from "../types.ts";
import { gatewayListeners } from "../gateway/listeners.ts";
import { inboundListeners } from "./inbound.ts";
import { outboundListeners } from "./outbound.ts";
import { ListenerParts } from "./parts.ts";
import { virtualOutboundListener } from "./virtual-outbound.ts";

/** Makes the listeners of proxies. Pods of one workload differ in little, so that most is encoded once for all of them. */
export class ListenerGenerator {
  readonly #outbound = new Memo<readonly XdsResource[]>();
  readonly #inbound = new Memo<readonly XdsResource[]>();
  readonly #gateway = new Memo<readonly XdsResource[]>();

  constructor(readonly jwks: JwksSource) {}

  generate(proxy: ProxyContext): XdsResource[] {
    const { node, view, mesh, scope, targets } = proxy;
    const { snapshot } = mesh;
    const { configs, services } = snapshot;
    const parts = new ListenerParts(proxy, this.jwks);
    const common = [mesh.config, services, view, configs.Telemetry, workloadKey(proxy)];
    const security = [configs.AuthorizationPolicy, configs.RequestAuthentication, mesh.peerAuthentication];
    if (view.type !== "sidecar") {
      const bindings = targets.flatMap(({ service, port, targetPort }) => [service, port, targetPort]);
      return [...this.#gateway.get([...common, ...security, scope, mesh.virtualServices, configs.Gateway, ...bindings], () => gatewayListeners(parts).map(encode))];
    }
    // Pods behind headless services have listeners of their own.
    const headless = scope.services.filter(({ resolution }) => resolution === "Passthrough").map((service) => snapshot.backends(service).endpoints);
    const outbound = this.#outbound.get([...common, scope, ...headless, headless.length > 0 ? (node.addresses[0] ?? "") : ""], () => [...outboundListeners(parts), ...virtualOutboundListener(parts)].map(encode));
    const own = targets.flatMap(({ service, port, targetPort }) => [service.hostname, port, targetPort]);
    // An address is part of a listener only where a Sidecar makes it listen there.
    const address = scope.sidecar?.ingress?.length ? (node.addresses[0] ?? "") : "";
    const inbound = this.#inbound.get([...common, ...security, scope, ...own, address], () => inboundListeners(parts).map(encode));
    return [...outbound, ...inbound];
  }
}

/** The metadata that listeners depend on. */
const METADATA = [
  "INTERCEPTION_MODE",
  "IDLE_TIMEOUT",
  "HTTP10",
  "UNPRIVILEGED_POD",
  "MESH_ID",
  "CLUSTER_ID",
  "CLUSTER_NAME",
  "NAMESPACE",
  "ENVOY_STATUS_PORT",
  "ENVOY_PROMETHEUS_PORT",
  "ENVOY_SECURE_METRICS_PORT",
  "ENVOY_SECURE_MERGED_METRICS_PORT",
  "TLS_SERVER_CERT_CHAIN",
  "TLS_SERVER_KEY",
  "TLS_SERVER_ROOT_CERT",
  "OUTBOUND_LISTENER_EXACT_BALANCE",
  "INBOUND_LISTENER_EXACT_BALANCE",
];

/** What of a node its listeners depend on besides its view: the same for all pods of a workload. */
function workloadKey({ node }: ProxyContext): string {
  return JSON.stringify([node.namespace, node.labels, node.dnsDomain, METADATA.map((name) => node.metadata[name] ?? null)]);
}

function encode(listener: Listener): XdsResource {
  return encodeResource(ListenerSchema, listener.name, listener);
}
