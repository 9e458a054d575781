import type { Pod } from "../../resources/index.ts";
import type { HostPort, NodePorts } from "./node-ports.ts";
import type { PodAddresses } from "./pod-addresses.ts";
import type { ServiceEntry } from "./service-entry.ts";
import type { ServiceTable } from "./service-table.ts";

export interface HostPortsOptions {
  addresses: PodAddresses;
  /** Where pods reach host ports: the node's address. From the host they are at the cluster's loopback address. */
  nodeIp: string;
  table: Pick<ServiceTable, "change">;
  nodePorts: Pick<NodePorts, "updateHostPorts">;
}

/** Serves containers' `hostPort`s: TCP on the host, TCP and UDP at the node's address for pods. */
export class HostPorts {
  readonly #options: HostPortsOptions;
  /** Keys of the entries that the table has from us. */
  #known = new Set<string>();
  #stopped = false;

  constructor(options: HostPortsOptions) {
    this.#options = options;
    options.addresses.onChange(() => this.#update());
  }

  stop(): void {
    this.#stopped = true;
  }

  #update(): void {
    if (this.#stopped) return;
    const { addresses, table, nodePorts } = this.#options;
    const ports = addresses.list().flatMap(({ ip, pod }) => (pod ? hostPortsOf(pod, ip) : []));
    nodePorts.updateHostPorts(ports);
    const entries = new Map<string, ServiceEntry | undefined>([...this.#known].map((key) => [key, undefined]));
    for (const port of ports) entries.set(`host port ${port.protocol} ${port.hostPort}`, entryOf(port));
    this.#known = new Set(ports.map(({ protocol, hostPort }) => `host port ${protocol} ${hostPort}`));
    void table.change(entries);
  }
}

function hostPortsOf(pod: Pod, ip: string): HostPort[] {
  const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, containerPort, protocol = "TCP" }) => {
      const known = (["tcp", "udp"] as const).find((each) => each.toUpperCase() === protocol);
      return hostPort && known ? [{ key, hostPort, ip, port: containerPort, protocol: known }] : [];
    }),
  );
}

/** In a service's form: without an address of its own, at the node's port. */
function entryOf({ key, hostPort, ip, port, protocol }: HostPort): ServiceEntry {
  return {
    key,
    clusterIP: "",
    externalIPs: [],
    loadBalancer: false,
    sticky: false,
    ports: [{ protocol, port: hostPort, nodePort: hostPort, endpoints: [{ ip, port }] }],
  };
}
