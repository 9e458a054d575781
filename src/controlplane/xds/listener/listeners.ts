import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { TELEMETRY_METADATA } from "../../../proto/index.ts";
import type { JwksSource } from "../../policy/index.ts";
import type { MeshConfig, MeshService } from "../../registry/index.ts";
import { labelsKey } from "../dependence.ts";
import { encodeResource } from "../encode.ts";
import { Memo } from "../memo.ts";
import { nodeCluster, type ProxyContext } from "../proxy.ts";
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
  readonly #headless = new Memo<readonly MeshService[]>();
  readonly #whole = new Memo<readonly XdsResource[]>();

  constructor(readonly jwks: JwksSource) {}

  generate(proxy: ProxyContext): readonly XdsResource[] {
    const { node, view, mesh, scope, targets } = proxy;
    const { snapshot } = mesh;
    const { configs } = snapshot;
    const parts = new ListenerParts(proxy, this.jwks);
    // Providers of the mesh config name services; without any, services come in by the scope alone.
    const lookups = namesServices(mesh.config) ? snapshot.services : undefined;
    const common = [mesh.config, lookups, view, workloadKey(proxy), ...parts.telemetryKey(), parts.extensionsKey()];
    const bindings = targets.flatMap(({ service, port, targetPort }) => [service.hostname, port, targetPort]);
    if (view.type !== "sidecar") {
      const translated = targets.map(({ service }) => service);
      return this.#gateway.get([...common, scope, labelsKey(proxy), mesh.virtualServices, configs.Gateway, ...parts.securityKey(), ...bindings, ...translated], () => gatewayListeners(parts).map(encode));
    }
    // Pods behind headless services have listeners of their own.
    const headless = this.#headless.get([scope], () => scope.services.filter(({ resolution }) => resolution === "Passthrough")).map((service) => snapshot.backends(service).endpoints);
    const ownAddress = headless.length > 0 ? (node.addresses[0] ?? "") : "";
    const outbound = this.#outbound.get([...common, scope, labelsKey(proxy), ...headless, ownAddress], () => [...outboundListeners(parts), ...virtualOutboundListener(parts)].map(encode));
    // An address is part of an inbound listener only where a Sidecar makes it listen there.
    const { ingress } = scope.sidecar ?? {};
    const inbound = this.#inbound.get([...common, ingress, ...parts.securityKey(), mutualTlsKey(proxy), ...bindings, ingress?.length ? (node.addresses[0] ?? "") : ""], () => inboundListeners(parts).map(encode));
    return this.#whole.get([outbound, inbound], () => [...outbound, ...inbound]);
  }
}

function mutualTlsKey({ mesh, node }: ProxyContext): string {
  const { mode, ports } = mesh.peerAuthentication.effective(node);
  return JSON.stringify([mode, ...ports]);
}

function namesServices({ extensionProviders }: MeshConfig): boolean {
  return extensionProviders.some((provider) => Object.values(provider).some((settings) => typeof settings === "object" && settings !== null && "service" in settings));
}

/** The metadata that listeners depend on. */
const METADATA = [
  "INTERCEPTION_MODE",
  "IDLE_TIMEOUT",
  "HTTP10",
  "UNPRIVILEGED_POD",
  "MESH_ID",
  "CLUSTER_ID",
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
  TELEMETRY_METADATA,
];

/** What of a node its listeners depend on besides its view: the same for all pods of a workload. */
function workloadKey({ node }: ProxyContext): string {
  const canonical = [node.labels["service.istio.io/canonical-name"], node.labels["service.istio.io/canonical-revision"]];
  return JSON.stringify([nodeCluster(node), canonical, node.dnsDomain, METADATA.map((name) => node.metadata[name] ?? null)]);
}

function encode(listener: Listener): XdsResource {
  return encodeResource(ListenerSchema, listener.name, listener);
}
