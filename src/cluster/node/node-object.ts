import { cpus, totalmem, release } from "node:os";
import { errorText, KUBERNETES_VERSION, VERSION, type Clock, type Logger } from "../../base/index.ts";
import { isAlreadyExists, isNotFound, LEASES, NODES, type KubeClient } from "../../kube/index.ts";
import type { Condition, Lease, Node } from "../../resources/index.ts";
import type { ImageCatalogue } from "../images/types.ts";
import type { NodeCapacity } from "./field-ref.ts";
import { rfc3339 } from "./status.ts";

/** As the kubelet: the lease every 10 s, valid 40; the Node object itself rarely. */
const LEASE_RENEW_MS = 10_000;
const LEASE_SECONDS = 40;
const STATUS_EVERY_MS = 300_000;
/** Kubernetes' default, and more than a laptop wants. */
const MAX_PODS = 110;
/** As many as a kubelet tells. */
const MAX_IMAGES = 50;
const LEASE_NAMESPACE = "kube-node-lease";

export interface NodeRegistration {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  catalogue: ImageCatalogue;
  nodeName: string;
  hostIP: string;
  /** /etc/os-release's PRETTY_NAME, machine id and boot id: facts of the machine, read by the caller. */
  machine: MachineFacts;
}

export interface MachineFacts {
  osImage: string;
  machineId: string;
  bootId: string;
  /** Bytes of the file system that holds the state folder. */
  diskBytes: number;
}

/** What this machine has to offer. */
export function machineCapacity(): NodeCapacity {
  return { cpu: cpus().length, memoryBytes: totalmem() };
}

/** Keeps the Node object and its lease alive until the returned function is called; `registered` resolves after the first write. */
export function registerNode(options: NodeRegistration): { registered: Promise<void>; stop(): void } {
  const { clock, log } = options;
  let stopped = false;
  let cancel = () => {};
  let statusAt = Number.NEGATIVE_INFINITY;
  let done = () => {};
  const registered = new Promise<void>((resolve) => (done = resolve));

  const beat = async () => {
    try {
      if (clock.now() - statusAt >= STATUS_EVERY_MS) {
        await writeNode(options);
        statusAt = clock.now();
        done();
      }
      await renewLease(options);
    } catch (thrown) {
      log.warn("node heartbeat failed, trying again", { error: errorText(thrown) });
    }
    if (!stopped) cancel = clock.after(statusAt === Number.NEGATIVE_INFINITY ? 1000 : LEASE_RENEW_MS, () => void beat());
  };
  void beat();
  return {
    registered,
    stop() {
      stopped = true;
      cancel();
    },
  };
}

async function writeNode(options: NodeRegistration): Promise<void> {
  const { client, nodeName } = options;
  const existing = await client.find<Node>(NODES, nodeName);
  if (!existing) {
    try {
      await client.create<Node>(NODES, nodeObject(options));
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown;
    }
  }
  await client.patch(NODES, nodeName, undefined, { status: nodeStatus(options, existing?.status?.conditions ?? []) }, "status");
}

function nodeObject({ nodeName }: NodeRegistration): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: nodeName,
      labels: {
        "beta.kubernetes.io/arch": goArch(),
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": goArch(),
        "kubernetes.io/hostname": nodeName,
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/control-plane": "",
      },
    },
    spec: {},
  };
}

function nodeStatus(options: NodeRegistration, before: Condition[]): NonNullable<Node["status"]> {
  const { clock, machine, nodeName, hostIP, catalogue } = options;
  const now = rfc3339(clock.now());
  const { cpu, memoryBytes } = machineCapacity();
  const resources = {
    cpu: String(cpu),
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    "ephemeral-storage": `${Math.floor(machine.diskBytes / 1024)}Ki`,
    pods: String(MAX_PODS),
  };
  const condition = (type: string, status: "True" | "False", reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: before.find((c) => c.type === type && c.status === status)?.lastTransitionTime ?? now,
  });
  return {
    addresses: [
      { type: "InternalIP", address: hostIP },
      { type: "Hostname", address: nodeName },
    ],
    capacity: resources,
    allocatable: resources,
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
      condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
      condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ],
    nodeInfo: {
      architecture: goArch(),
      bootID: machine.bootId,
      containerRuntimeVersion: `chainmail://${VERSION}`,
      kernelVersion: release(),
      kubeProxyVersion: "",
      kubeletVersion: KUBERNETES_VERSION.gitVersion,
      machineID: machine.machineId,
      operatingSystem: "linux",
      osImage: machine.osImage,
      systemUUID: machine.machineId,
    },
    images: [...(catalogue.ownNames?.() ?? []), ...catalogue.list().map((image) => image.repository)].slice(0, MAX_IMAGES).map((name) => ({ names: [name] })),
  };
}

async function renewLease({ client, clock, nodeName }: NodeRegistration): Promise<void> {
  const renewTime = new Date(clock.now()).toISOString().replace("Z", "000Z");
  const spec = { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime };
  try {
    await client.patch<Lease>(LEASES, nodeName, LEASE_NAMESPACE, { spec });
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
    await client.create<Lease>(LEASES, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: nodeName, namespace: LEASE_NAMESPACE }, spec });
  }
}

/** Kubernetes names architectures as Go does. */
function goArch(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
