import { existsSync, mkdirSync, realpathSync } from "node:fs";
import type { Logger } from "../../base/index.ts";
import { leaveSessionKeyring } from "../../linux/index.ts";
import type { EndpointSlice, KubeObject, Namespace, Pod, Service } from "../../resources/index.ts";
import { openCgroups } from "../cgroups/index.ts";
import { AddressPool, findTools, NamespaceClient, parseCidr, ProcessRuntime, readIdMaps, type RootMode, type Where } from "../runtime/index.ts";
import { Forwarder, hostUpstreams, type Upstream } from "./dns/forwarder.ts";
import { DnsServer } from "./dns/server.ts";
import { udpSocket } from "./udp-relay.ts";
import { emptyZone } from "./dns/zone.ts";
import { Egress } from "./egress.ts";
import { NodePorts, type PortProblem } from "./node-ports.ts";
import { HostPorts } from "./host-ports.ts";
import { nodeRules, podRules, TABLE } from "./node-rules.ts";
import { PodAddresses } from "./pod-addresses.ts";
import { PolicyTable } from "./policy/policy-table.ts";
import type { PolicyPod } from "./policy/rules.ts";
import { ServiceNetwork, type Watched } from "./service-network.ts";
import { ServiceTable } from "./service-table.ts";

export interface NodeOptions {
  /** The cluster's own address on the host: node ports and LoadBalancer ports listen there. */
  loopback: string;
  /** Such as 10.244.0.0/16; its first address is the node's. */
  podCidr: string;
  /** Such as 10.96.0.0/12. */
  serviceCidr: string;
  /** Service addresses served by this process. */
  apiIp: string;
  dnsIp: string;
  /** `cluster.local` */
  clusterDomain: string;
  /** A folder of this cluster alone. */
  stateDir: string;
  /** Folders that no pod may see even where they lie below /usr: the project, $CHAINMAIL_HOME. */
  hiddenPaths: string[];
  logger: Logger;
  /** The namespace worker is lost: the cluster must end and be started again. */
  onFatal(error: Error): void;
  onPortProblem?(problem: PortProblem): void;
  /** Where containers' changes to an image's root go; what works best here unless given. */
  rootMode?: RootMode;
  /** Names the control groups that hold containers to their limits; without it nothing does. */
  cgroup?: string;
  /** The host's resolvers unless given. */
  upstreams?: Upstream[];
}

export interface Node {
  runtime: ProcessRuntime;
  nodeIp: string;
  /** Services and DNS follow what these tell, from now on. Call once. */
  follow(services: Watched<Service>, endpointSlices: Watched<EndpointSlice>): ServiceNetwork;
  /**
   * NetworkPolicies and host ports follow what these tell, from now on; no pod starts before `synced` resolves, which
   * must mean that all there is has been told. Call once, before the first pod. `settled`: the kernel follows the rules.
   */
  followPods(watched: { pods: Watched<Pod>; namespaces: Watched<Namespace>; policies: Watched<KubeObject>; synced: Promise<unknown> }): {
    settled(): Promise<void>;
  };
  /**
   * A listening descriptor in the node's namespace, where pods reach it (or in one pod's): for Bun.listen, Bun.udpSocket or a net.Server's
   * listen, not for Bun.serve or an http.Server, which ignore it silently.
   */
  listen(protocol: "tcp" | "udp", host: string, port: number, where?: Where): Promise<number>;
  /** The node's traffic rules as nft prints them. */
  rules(): Promise<string>;
  /** Ends all pods, the listeners, then the worker. */
  stop(): Promise<void>;
}

/** Above the range of the sidecar's own ports. Only the node's own address listens on it. */
export const EGRESS_PORT = 15999;
const DNS_PORT = 53;
/** The API tells the node agent and us of a pod at about the same time. */
const POD_KNOWN_MS = 1_000;

/** Makes the node's network namespace, its rules, DNS and relay. Once in a process tree that launchCluster started. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { logger, stateDir } = options;
  const hiddenPaths = options.hiddenPaths.filter((path) => existsSync(path)).map((path) => realpathSync(path));
  const podCidr = parseCidr(options.podCidr);
  const serviceCidr = parseCidr(options.serviceCidr);
  const localAddresses = [options.apiIp, options.dnsIp];
  const pool = new AddressPool(podCidr);
  const { nodeIp } = pool;
  const mountPoint = `${stateDir}/root`;
  const toolsPoint = `${stateDir}/tools`;
  const probeFolder = `${stateDir}/probe`;
  for (const path of [mountPoint, toolsPoint, probeFolder]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const tools = findTools();
  // Exec starts from this thread; the namespace worker does the same for containers.
  leaveSessionKeyring();
  const client = new NamespaceClient();
  let rootMode: RootMode = "copy";
  const addresses = new PodAddresses();
  // What closes a pod stands before its first process does.
  let policies: { table: PolicyTable; synced: Promise<unknown> } | undefined;
  const network = {
    async assigned(uid: string, ip: string): Promise<void> {
      addresses.assign(uid, ip);
      if (!policies) return;
      await policies.synced;
      // Closed until it is known; a pod that starts so would lose its first packets, and wait a second for each.
      await addresses.known(uid, POD_KNOWN_MS);
      await policies.table.settled();
    },
    released: (uid: string) => addresses.release(uid),
  };
  const runtime = new ProcessRuntime({
    client,
    network,
    pool,
    maps: readIdMaps(),
    rootMode: () => rootMode,
    podRules,
    logger: logger.child("runtime"),
    onFatal: options.onFatal,
    ...(options.cgroup ? { cgroups: openCgroups(options.cgroup) } : {}),
  });
  const listen: Node["listen"] = (protocol, host, port, where = "node") => client.call("listen", { where, protocol, host, port });
  const stops: (() => void)[] = [() => client.stop()];
  try {
    const rules = nodeRules({
      podCidr: options.podCidr,
      serviceCidr: options.serviceCidr,
      nodeIp,
      localAddresses,
      dnsIp: options.dnsIp,
      egressPort: EGRESS_PORT,
    });
    const setup = { nodeIp, localAddresses, mountPoint, toolsPoint, probeFolder, rootMode: options.rootMode, tools, hiddenPaths, serviceCidr, rules };
    ({ rootMode } = await client.call("init", setup));
    const zone = emptyZone(options.clusterDomain);
    const [udpFd, tcpFd, egressFd] = await Promise.all([
      listen("udp", options.dnsIp, DNS_PORT),
      listen("tcp", options.dnsIp, DNS_PORT),
      listen("tcp", nodeIp, EGRESS_PORT),
    ]);
    const forwarder = new Forwarder(options.upstreams ?? hostUpstreams());
    const dns = await DnsServer.start({ udpFd, tcpFd, zone, forwarder, logger: logger.child("dns") });
    const egress = new Egress({ fd: egressFd, clusterRanges: [podCidr, serviceCidr], logger: logger.child("egress") });
    const nodePorts = new NodePorts({
      address: options.loopback,
      connect: (ip, port) => runtime.connect("node", ip, port),
      connectUdp: async (onData) => udpSocket({ fd: await listen("udp", nodeIp, 0) }, onData),
      logger: logger.child("nodeports"),
      onPortProblem: options.onPortProblem ?? (() => {}),
    });
    const nft = (commands: string) => client.call("nft", { commands });
    const table = new ServiceTable({ nodeIp, localAddresses, nft, logger: logger.child("services") });
    stops.unshift(
      () => table.stop(),
      () => nodePorts.stop(),
      () => egress.stop(),
      () => dns.stop(),
    );
    return {
      runtime,
      nodeIp,
      listen,
      follow(services, endpointSlices) {
        const network = new ServiceNetwork({ services, endpointSlices, table, zone, nodePorts });
        stops.unshift(() => network.stop());
        return network;
      },
      followPods({ pods, namespaces, policies: objects, synced }) {
        const others = [dnsPod(options.dnsIp)];
        const policyTable = new PolicyTable({ addresses, namespaces, policies: objects, others, nft, logger: logger.child("policies") });
        policies = { table: policyTable, synced };
        const hostPorts = new HostPorts({ addresses, nodeIp, table, nodePorts });
        const unfollow = addresses.follow(pods);
        stops.unshift(
          unfollow,
          () => policyTable.stop(),
          () => hostPorts.stop(),
        );
        return { settled: () => policyTable.settled() };
      },
      rules: () => nft(`list table ip ${TABLE}`),
      async stop() {
        await runtime.stop();
        for (const stop of stops) stop();
      },
    };
  } catch (error) {
    for (const stop of stops) stop();
    throw error;
  }
}

/** Cluster DNS as policies name it elsewhere: pods with this label in kube-system. */
function dnsPod(ip: string): PolicyPod {
  const ports = [
    { name: "dns", protocol: "udp" as const, port: DNS_PORT },
    { name: "dns-tcp", protocol: "tcp" as const, port: DNS_PORT },
  ];
  return { namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, ip, ports };
}
