import type { MessageInitShape } from "@bufbuild/protobuf";
import { ListenerSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { TELEMETRY_METADATA } from "../../../proto/index.ts";
import type { JwksSource } from "../../policy/index.ts";
import type { MeshConfig, MeshService } from "../../registry/index.ts";
import { labelsKey } from "../dependence.ts";
import { encodeResource } from "../encode.ts";
import { joinLists } from "../joined-list.ts";
import { Memo } from "../memo.ts";
import type { ProxyContext } from "../proxy.ts";
import type { ProxyNode, XdsResource } from "../types.ts";
import { gatewayListeners } from "../gateway/listeners.ts";
import { inboundListeners } from "./inbound.ts";
import { planHttpProxy, planOutbound, type PlannedListener } from "./outbound.ts";
import { ListenerParts } from "./parts.ts";
import { planVirtualOutbound } from "./virtual-outbound.ts";

/** Makes the listeners of proxies. Pods of one workload differ in little, so that most is encoded once for all of them. */
export class ListenerGenerator {
  /** What workloads that see the same have in common: finished listeners, and those that each finishes for itself. */
  readonly #plans = new Memo<readonly (XdsResource | PlannedListener)[]>();
  readonly #outbound = new Memo<readonly XdsResource[]>();
  readonly #inbound = new Memo<readonly XdsResource[]>();
  readonly #gateway = new Memo<readonly XdsResource[]>();
  readonly #parts = new Memo<unknown>();
  readonly #tracing = new Memo<string>();
  readonly #metadata = new Memo<string>();
  readonly #headless = new Memo<readonly MeshService[]>();
  readonly #whole = new Memo<readonly XdsResource[]>();

  constructor(readonly jwks: JwksSource) {}

  generate(proxy: ProxyContext): readonly XdsResource[] {
    const { node, view, mesh, scope, targets } = proxy;
    const { snapshot } = mesh;
    const { configs } = snapshot;
    // Providers of the mesh config name services; without any, services come in by the scope alone.
    const lookups = namesServices(mesh.config) ? snapshot.services : undefined;
    const parts = new ListenerParts(proxy, this.jwks, this.#parts, lookups);
    const telemetry = parts.telemetryKey();
    const shared = [mesh.config, lookups, view, this.#metadata.get([node], () => metadataKey(node)), ...telemetry, parts.extensionsKey()];
    const tracing = this.#tracing.get([node, mesh.config, lookups, ...telemetry], () => parts.tracingKey());
    const common = [...shared, tracing];
    const bindings = targets.flatMap(({ service, port, targetPort }) => [service.hostname, port, targetPort]);
    if (view.type !== "sidecar") {
      const translated = targets.map(({ service }) => service);
      return this.#gateway.get(
        [...common, scope, labelsKey(proxy), mesh.virtualServices, configs.Gateway, snapshot.networks, ...parts.securityKey(), ...bindings, ...translated],
        () => gatewayListeners(parts).map(encode),
      );
    }
    // Pods behind headless services have listeners of their own.
    const headless = this.#headless
      .get([scope], () => scope.services.filter(({ resolution }) => resolution === "Passthrough"))
      .map((service) => snapshot.backends(service).endpoints);
    const ownAddress = headless.length > 0 ? (node.addresses[0] ?? "") : "";
    const plan = this.#plans.get(
      [...shared, scope, scope.usesNamespace ? `${node.namespace} ${node.dnsDomain}` : "", labelsKey(proxy), ...headless, ownAddress],
      () => [
        ...[...planOutbound(parts), ...planHttpProxy(parts)].map((planned) => (planned.perWorkload ? planned : encode(planned.build(parts)))),
        ...planVirtualOutbound(parts).map((planned) => (planned.perWorkload ? planned : encode(planned.build(parts)))),
      ],
    );
    const outbound = this.#outbound.get([plan, tracing], () => plan.map((listener) => ("build" in listener ? encode(listener.build(parts)) : listener)));
    // Address and namespace are part of an inbound listener only where a Sidecar makes it listen there.
    const { ingress } = scope.sidecar ?? {};
    const inbound = this.#inbound.get(
      [...common, ingress, ...parts.securityKey(), mutualTlsKey(proxy), ...bindings, ingress?.length ? `${node.namespace} ${node.addresses[0] ?? ""}` : ""],
      () => inboundListeners(parts).map(encode),
    );
    return this.#whole.get([outbound, inbound], () => joinLists([outbound, inbound]));
  }
}

function mutualTlsKey({ mesh, node }: ProxyContext): string {
  const { mode, ports } = mesh.peerAuthentication.effective(node);
  return JSON.stringify([mode, ...ports]);
}

function namesServices({ extensionProviders }: MeshConfig): boolean {
  return extensionProviders.some((provider) =>
    Object.values(provider).some((settings) => typeof settings === "object" && settings !== null && "service" in settings),
  );
}

/** The metadata that listeners depend on. */
const METADATA = [
  "INTERCEPTION_MODE",
  "IDLE_TIMEOUT",
  "HTTP10",
  "HTTP_PROXY_PORT",
  "UNPRIVILEGED_POD",
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

/** What of a node its listeners depend on besides its view and how its spans name it: the same for all pods of a workload. */
function metadataKey(node: ProxyNode): string {
  return JSON.stringify(METADATA.map((name) => node.metadata[name] ?? null));
}

function encode(listener: MessageInitShape<typeof ListenerSchema>): XdsResource {
  return encodeResource(ListenerSchema, listener.name ?? "", listener);
}
