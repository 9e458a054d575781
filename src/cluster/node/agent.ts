import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { errorText, systemClock, type Clock, type Logger } from "../../base/index.ts";
import { CONFIG_MAPS, createInformer, PODS, SECRETS, SERVICES, type KubeClient } from "../../kube/index.ts";
import type { ConfigMap, Pod, Secret, Service } from "../../resources/index.ts";
import type { ImageCatalogue } from "../images/types.ts";
import { canBecome, readIdMaps } from "../runtime/index.ts";
import type { ContainerRuntime } from "../runtime/types.ts";
import type { NodeContext } from "./context.ts";
import { EventRecorder } from "./events.ts";
import { rotateLog, ROTATION_CHECK_MS } from "./logs/rotation.ts";
import { trashOf } from "./folders.ts";
import { machineCapacity, registerNode, type MachineFacts } from "./node-object.ts";
import { createPodStreams } from "./pod-streams.ts";
import { PodWorker } from "./pod-worker.ts";
import type { ContainerUsage, PodStreams } from "./types.ts";
import type { LocalFolders } from "./volumes/local-folders.ts";

export interface NodeAgentOptions {
  client: KubeClient;
  runtime: ContainerRuntime;
  catalogue: ImageCatalogue;
  /** Pods bound to this name run here. */
  nodeName: string;
  /** The node's address, as pods see it in status.hostIP. */
  hostIP: string;
  /** A private folder (0700) for volumes, /etc files and logs; made when missing. */
  stateDir: string;
  log: Logger;
  clock?: Clock;
  /** Cluster DNS as pods see it. */
  dns?: { nameserver: string; clusterDomain: string };
  /** Where pods find the API until the Service default/kubernetes says so. */
  kubernetes?: { host: string; port: number };
  /** Folders that no hostPath volume may show; the state folder always is one. */
  protectedPaths?: string[];
  /** The folders of PersistentVolumes. */
  localFolders?: LocalFolders;
}

export interface NodeAgent {
  streams: PodStreams;
  /** What the running containers of a pod use; undefined when the pod is not here. */
  usage(namespace: string, pod: string): Promise<ContainerUsage[] | undefined>;
  /** Resolves when the Node object stands and the pods bound to it are known. */
  ready: Promise<void>;
  /** There are new images: containers that wait for theirs look again at once. */
  imagesChanged(): void;
  /** Stops acting. What runs goes on until the runtime tears it down. */
  stop(): void;
}

/** Starts the node: registers it and runs the pods that are bound to it, until `stop`. */
export function startNodeAgent(options: NodeAgentOptions): NodeAgent {
  const { client, runtime, catalogue, nodeName, hostIP, stateDir, clock = systemClock } = options;
  const log = options.log.child("node");
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const pods = createInformer<Pod>(client, PODS, { fieldSelector: `spec.nodeName=${nodeName}`, log, clock });
  const configMaps = createInformer<ConfigMap>(client, CONFIG_MAPS, { log, clock, transform: withoutManagedFields });
  const secrets = createInformer<Secret>(client, SECRETS, { log, clock, transform: withoutManagedFields });
  const services = createInformer<Service>(client, SERVICES, { log, clock, transform: withoutManagedFields });

  const maps = readIdMaps();
  const context: NodeContext = {
    client,
    runtime,
    mapsGroup: (gid) => process.geteuid?.() === 0 && canBecome({ uid: 0, gid }, maps),
    catalogue,
    clock,
    log,
    events: new EventRecorder(client, clock, log, nodeName),
    source: { configMap: (namespace, name) => configMaps.get(name, namespace), secret: (namespace, name) => secrets.get(name, namespace) },
    services: () => services.list(),
    nodeName,
    hostIP,
    capacity: machineCapacity(),
    dns: { ...(options.dns ?? { nameserver: "10.96.0.10", clusterDomain: "cluster.local" }), hostResolvConf: readText("/etc/resolv.conf") },
    kubernetes: options.kubernetes ?? { host: "10.96.0.1", port: 443 },
    stateDir,
    protectedPaths: [stateDir, ...(options.protectedPaths ?? [])],
    localFolders: options.localFolders,
  };

  const workers = new Map<string, PodWorker>();
  let stopped = false;
  let cancelRotation = () => {};

  const podChanged = (type: "ADDED" | "MODIFIED" | "DELETED", pod: Pod) => {
    const { uid = "" } = pod.metadata;
    const worker = workers.get(uid);
    if (type === "DELETED") worker?.vanished();
    else if (worker) worker.update(pod);
    else {
      const fresh = new PodWorker(context, pod, () => workers.delete(uid));
      workers.set(uid, fresh);
      fresh.wake();
    }
  };
  const configChanged = (kind: "ConfigMap" | "Secret", object: ConfigMap | Secret) => {
    for (const worker of workers.values()) {
      if (worker.pod.metadata.namespace === object.metadata.namespace) worker.configChanged(kind, object.metadata.name);
    }
  };
  const checkLogs = () => {
    for (const worker of workers.values()) {
      for (const unit of worker.units.values()) {
        try {
          rotateLog(unit.spec.logPath, unit.handle);
        } catch (thrown) {
          log.warn("log not rotated", { path: unit.spec.logPath, error: errorText(thrown) });
        }
      }
    }
    cancelRotation = clock.after(ROTATION_CHECK_MS, checkLogs);
  };

  const registration = registerNode({ client, clock, log, catalogue, nodeName, hostIP, machine: machineFacts(stateDir) });
  const begin = async () => {
    // A pod that is started before its ConfigMaps are known would be told that they are missing.
    await Promise.all([pods.synced, configMaps.synced, secrets.synced, services.synced]);
    if (stopped) return;
    removeLeftovers(stateDir, pods.list());
    pods.onChange(({ type, object, old }) => {
      // A pod that was deleted and made again under its name may come as one change.
      if (old && old.metadata.uid !== object.metadata.uid) podChanged("DELETED", old);
      podChanged(type, object);
    });
    configMaps.onChange(({ object }) => configChanged("ConfigMap", object));
    secrets.onChange(({ object }) => configChanged("Secret", object));
    cancelRotation = clock.after(ROTATION_CHECK_MS, checkLogs);
  };

  const find = (namespace: string, name: string): PodWorker | undefined => {
    const pod = pods.get(name, namespace);
    return pod && workers.get(pod.metadata.uid ?? "");
  };
  return {
    streams: createPodStreams({ runtime, clock, find }),
    async usage(namespace, name) {
      const worker = find(namespace, name);
      const units = [...(worker?.units.values() ?? [])].filter((unit) => unit.alive);
      const usages = await Promise.all(
        // One that ends just now has nothing to tell.
        units.map((unit) =>
          runtime
            .usage(unit.spec.id)
            .then((usage) => ({ container: unit.record.name, startedAt: unit.startedAt, ...usage }))
            .catch(() => []),
        ),
      );
      return worker && usages.flat();
    },
    ready: Promise.all([registration.registered, begin()]).then(() => undefined),
    imagesChanged() {
      for (const worker of workers.values()) worker.imagesChanged();
    },
    stop() {
      stopped = true;
      cancelRotation();
      registration.stop();
      for (const informer of [pods, configMaps, secrets, services]) informer.stop();
      for (const worker of workers.values()) worker.abandon();
    },
  };
}

/** Files of pods that were deleted while the node was down; those that exist keep their logs. */
function removeLeftovers(stateDir: string, pods: Pod[]): void {
  rmSync(trashOf(stateDir), { recursive: true, force: true });
  const uids = new Set(pods.map((pod) => pod.metadata.uid));
  for (const [folder, uidOf] of [
    ["pods", (name: string) => name],
    ["logs", (name: string) => name.slice(name.lastIndexOf("_") + 1)],
  ] as const) {
    const path = join(stateDir, folder);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(path)) if (!uids.has(uidOf(name))) rmSync(join(path, name), { recursive: true, force: true });
  }
}

function machineFacts(stateDir: string): MachineFacts {
  const { blocks, bsize } = statfsSync(stateDir);
  return {
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(readText("/etc/os-release"))?.[1] ?? "Linux",
    machineId: readText("/etc/machine-id").trim(),
    bootId: readText("/proc/sys/kernel/random/boot_id").trim(),
    diskBytes: blocks * bsize,
  };
}

/** "" for a file that this machine does not have. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function withoutManagedFields<T extends ConfigMap | Secret | Service>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}
