import type { Sidecar } from "../../resources/index.ts";
import { PeerAuthenticationPolicies } from "../policy/index.ts";
import type { MeshConfig, MeshSnapshot } from "../registry/index.ts";
import { clusterLocalHosts } from "./endpoint/cluster-local.ts";
import { Memo } from "./memo.ts";
import type { HostMap } from "./scope/host-match.ts";
import { DestinationRules, type EffectiveRule } from "./scope/destination-rules.ts";
import { gatewayScope, seesItsOwn, sidecarFor, sidecarScope, type Scope } from "./scope/sidecar-scope.ts";
import { VirtualServices, type ResolvedVirtualService } from "./scope/virtual-services.ts";
import type { ProxyNode } from "./types.ts";
import type { MeshService } from "../registry/index.ts";

/** A snapshot with the indexes that generation needs, each kept as long as what it was made from is the same. */
export interface MeshView {
  readonly snapshot: MeshSnapshot;
  readonly config: MeshConfig;
  readonly virtualServices: VirtualServices;
  readonly destinationRules: DestinationRules;
  readonly peerAuthentication: PeerAuthenticationPolicies;
  /** Whether the endpoints of a host are for clients of their own cluster only. */
  isClusterLocal(hostname: string): boolean;
  scopeFor(node: ProxyNode): Scope;
}

/** Makes views; holds what is shared between those of one generator. */
export class MeshViews {
  readonly #views = new Memo<MeshView>();
  readonly #virtualServices = new Memo<VirtualServices>();
  readonly #resolved = new Memo<ResolvedVirtualService>();
  readonly #destinationRules = new Memo<DestinationRules>();
  readonly #merged = new Memo<EffectiveRule>();
  readonly #peerAuthentication = new Memo<PeerAuthenticationPolicies>();
  readonly #clusterLocal = new Memo<HostMap<boolean>>();
  readonly #scopes = new Memo<Scope>();
  readonly #trims = new Memo<MeshService>();

  view(snapshot: MeshSnapshot): MeshView {
    return this.#views.get([snapshot], () => this.#make(snapshot));
  }

  #make(snapshot: MeshSnapshot): MeshView {
    const { mesh, configs, services, domain } = snapshot;
    const virtualServices = this.#virtualServices.get(
      [configs.VirtualService, mesh],
      () => new VirtualServices(configs.VirtualService, { domain, defaultExportTo: mesh.defaultVirtualServiceExportTo }, this.#resolved),
    );
    const destinationRules = this.#destinationRules.get(
      [configs.DestinationRule, mesh],
      () =>
        new DestinationRules(
          configs.DestinationRule,
          { rootNamespace: mesh.rootNamespace, domain, defaultExportTo: mesh.defaultDestinationRuleExportTo },
          this.#merged,
        ),
    );
    const peerAuthentication = this.#peerAuthentication.get(
      [configs.PeerAuthentication, mesh],
      () => new PeerAuthenticationPolicies(configs.PeerAuthentication, mesh.rootNamespace),
    );
    const clusterLocal = this.#clusterLocal.get([mesh, domain], () => clusterLocalHosts(mesh, domain));
    const sources = { services, virtualServices, destinationRules, outboundPolicy: mesh.outboundTrafficPolicy.mode };
    return {
      snapshot,
      config: mesh,
      virtualServices,
      destinationRules,
      peerAuthentication,
      isClusterLocal: (hostname) => clusterLocal.mostSpecific(hostname) ?? false,
      scopeFor: (node) => {
        if (node.type !== "sidecar")
          return this.#scopes.get([services, virtualServices, destinationRules, mesh, "gateway", node.namespace], () =>
            gatewayScope(node.namespace, sources, this.#trims),
          );
        const sidecar: Sidecar | undefined = sidecarFor(configs.Sidecar, node, mesh.rootNamespace);
        const namespace = sidecar || seesItsOwn(node.namespace, sources) ? node.namespace : "";
        return this.#scopes.get([services, virtualServices, destinationRules, mesh, sidecar, namespace], () =>
          sidecarScope(namespace, sidecar, sources, this.#trims),
        );
      },
    };
  }
}
