/**
 * The embedded cluster's one Bun process: API server, controllers, node agent and network, wired together. `chainmail up`
 * starts it inside the process tree of its own; it ends with SIGTERM, taking all pods along.
 * Usage: cluster-process.ts CLUSTER PROGRAMS
 */
import { mkdirSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError, type Logger, VERSION, createLogger, errorText, systemClock } from "../base/index.ts";
import { DEFAULT_SERVICE_CIDR, loadClusterPki, startApiServer, writeKubeconfig } from "../cluster/apiserver/index.ts";
import { ImageStore } from "../cluster/images/index.ts";
import { startControllers } from "../cluster/controllers/index.ts";
import { startNode } from "../cluster/network/index.ts";
import { LocalFolders, machineUsage, type NodeAgent, type PodStreams, startNodeAgent } from "../cluster/node/index.ts";
import { Store } from "../cluster/store/index.ts";
import { ENDPOINT_SLICES, NAMESPACES, NETWORK_POLICIES, PODS, SERVICES, createClient, createInformer } from "../kube/index.ts";
import { type Container, type EndpointSlice, type KubeObject, type Namespace, type Pod, type Service, builtinResources } from "../resources/index.ts";
import { chainmailHome, clusterPaths, readSettings } from "./home.ts";
import { catalogue, imagesFolder } from "./images.ts";
import { PROJECT_ROOT } from "./programs.ts";

const NODE_NAME = "chainmail";
const POD_CIDR = "10.244.0.0/16";
/** The first address of the service range is the API's, the tenth cluster DNS's: where Kubernetes' installers put them. */
const API_IP = "10.96.0.1";
const DNS_IP = "10.96.0.10";
const CLUSTER_DOMAIN = "cluster.local";

const [name, programs] = process.argv.slice(2);
if (!name || !programs) throw new Error("usage: cluster-process.ts CLUSTER PROGRAMS");
const paths = clusterPaths(name);
const log = createLogger("cluster");
try {
  await run(log);
} catch (thrown) {
  fail(thrown);
}

async function run(logger: Logger): Promise<void> {
  const began = Date.now();
  outliveMistakes(logger);
  const settings = readSettings(paths);
  if (!settings) throw new ChainmailError("CLUSTER_SETTINGS_MISSING", `${paths.settings} is missing`, { hint: `chainmail up --name ${name}` });
  const { address, apiPort } = settings;
  const store = new Store({ path: join(paths.state, "cluster.db") });
  const node = await startNode({
    loopback: address,
    podCidr: POD_CIDR,
    serviceCidr: DEFAULT_SERVICE_CIDR,
    apiIp: API_IP,
    dnsIp: DNS_IP,
    clusterDomain: CLUSTER_DOMAIN,
    stateDir: join(paths.state, "node"),
    hiddenPaths: [PROJECT_ROOT, chainmailHome()],
    cgroup: paths.cgroup,
    logger: logger.child("network"),
    onFatal: fail,
    onPortProblem: (problem) => logger.warn("port not bound", { ...problem }),
  });
  const pki = await loadClusterPki({ directory: join(paths.state, "pki"), addresses: [address, "127.0.0.1", API_IP, node.nodeIp], now: Date.now() });

  // The API serves pods' streams, and the node agent that has them needs the API: whoever asks before it is there waits for nothing.
  let agent: NodeAgent | undefined;
  const api = await startApiServer({
    store,
    definitions: builtinResources(),
    pki,
    streams: lateStreams(() => agent?.streams),
    usage: { pod: async (namespace, pod) => agent?.usage(namespace, pod), node: machineUsage },
    dial: (host, port) => node.runtime.dial("node", host, port),
    listenHost: address,
    port: apiPort,
    log: logger.child("apiserver"),
    // `CHAINMAIL_AUDIT_LOG=/path chainmail up`: who asked what of the API, one event a line.
    ...(process.env.CHAINMAIL_AUDIT_LOG ? { auditLog: process.env.CHAINMAIL_AUDIT_LOG } : {}),
  });
  // Pods know the Service's address; sidecars dial its endpoint, the node's own.
  for (const host of [API_IP, node.nodeIp]) await api.listenOn({ fd: await node.listen("tcp", host, 443) });
  const client = createClient(api.transport());

  const services = createInformer<Service>(client, SERVICES, { log: logger });
  const slices = createInformer<EndpointSlice>(client, ENDPOINT_SLICES, { log: logger });
  node.follow(services, slices);
  const pods = createInformer<Pod>(client, PODS, { log: logger, transform: forNetwork });
  const namespaces = createInformer<Namespace>(client, NAMESPACES, { log: logger });
  const policies = createInformer<KubeObject>(client, NETWORK_POLICIES, { log: logger });
  node.followPods({ pods, namespaces, policies, synced: Promise.all([pods.synced, namespaces.synced, policies.synced]) });
  const localFolders = new LocalFolders(join(paths.state, "volumes"));
  const images = imagesFolder(chainmailHome());
  mkdirSync(images, { recursive: true, mode: 0o700 });
  agent = startNodeAgent({
    client: createClient(api.transport("kubelet")),
    runtime: node.runtime,
    catalogue: catalogue(programs!, settings.envoyPath, new ImageStore(images)),
    nodeName: NODE_NAME,
    hostIP: node.nodeIp,
    stateDir: join(paths.state, "pods"),
    log: logger,
    dns: { nameserver: DNS_IP, clusterDomain: CLUSTER_DOMAIN },
    kubernetes: { host: API_IP, port: 443 },
    protectedPaths: [PROJECT_ROOT, chainmailHome()],
    localFolders,
  });
  const controllers = startControllers({
    client,
    clock: systemClock,
    log: logger.child("controllers"),
    loopbackAddress: address,
    caPem: pki.caCert,
    signClient: (request, lifetimeMs) => pki.signClient(request, lifetimeMs),
    random: Math.random,
    volumeFolders: localFolders,
    apiEndpoint: { serviceIp: API_IP, ip: node.nodeIp, port: 443 },
  });
  // `chainmail image` replaces the list there; containers that wait for one of its images start at once.
  const imageWatch = watch(images, (_event, file) => file === "index.json" && agent?.imagesChanged());
  await agent.ready;
  if (settings.mesh) await (await import("./mesh.ts")).installMesh(client, { version: VERSION, proxy: settings.proxy });
  await writeKubeconfig({
    path: paths.kubeconfig,
    name: name === "default" ? "chainmail" : `chainmail-${name}`,
    server: `https://${address}:${api.port}`,
    caCert: pki.caCert,
    client: pki.admin,
  });
  // Last: `up` waits for this file, and takes nothing for ready that began before it.
  writeFileSync(paths.started, JSON.stringify({ time: began }), { mode: 0o600 });
  logger.info("cluster is up", { api: `https://${address}:${api.port}`, started_ms: Math.round(performance.now()) });

  process.on("SIGTERM", () => {
    logger.info("stopping");
    void (async () => {
      controllers.stop();
      agent?.stop();
      imageWatch.close();
      for (const informer of [services, slices, pods, namespaces, policies]) informer.stop();
      await node.stop();
      await api.close();
      await store.close();
      process.exit(0);
    })().catch(fail);
  });
}

/** What rules for traffic are made of; the rest of a pod need not lie in memory once more. */
function forNetwork({ apiVersion, kind, metadata, spec }: Pod): Pod {
  const ports = (containers: Container[] = []) =>
    containers.map(({ name, ports: list, restartPolicy }) => ({ name, ...(list ? { ports: list } : {}), ...(restartPolicy ? { restartPolicy } : {}) }));
  const { name, namespace, uid, resourceVersion, labels } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace ? { namespace } : {}),
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
      ...(labels ? { labels } : {}),
    },
    spec: { containers: ports(spec?.containers), initContainers: ports(spec?.initContainers) },
  };
}

function lateStreams(current: () => PodStreams | undefined): PodStreams {
  const streams = (): PodStreams => {
    const found = current();
    if (!found) throw new ChainmailError("POD_NOT_FOUND", "the node is still starting");
    return found;
  };
  return {
    logs: async (...args) => streams().logs(...args),
    exec: async (...args) => streams().exec(...args),
    attach: async (...args) => streams().attach(...args),
    portForward: async (...args) => streams().portForward(...args),
  };
}

/**
 * One request, stream or pod that goes wrong must not take all others along: what nothing caught is told, and the cluster
 * goes on, as Kubernetes' own programs do (HandleCrash). Tests look for this line: each is a defect.
 */
function outliveMistakes(logger: Logger): void {
  const tell = (thrown: unknown): void =>
    logger.error("an error that nothing caught; the cluster goes on", { stack: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
  process.on("uncaughtException", tell);
  process.on("unhandledRejection", tell);
}

/** Says why in a place that `up` reads, then ends the whole tree: a cluster that half works is worse than none. */
function fail(thrown: unknown): never {
  const known = thrown instanceof ChainmailError ? thrown : undefined;
  log.error("the cluster ends", { error: errorText(thrown), code: known?.code ?? "INTERNAL" });
  if (!known && thrown instanceof Error && thrown.stack) process.stderr.write(`${thrown.stack}\n`);
  writeFileSync(paths.failure, JSON.stringify({ code: known?.code ?? "INTERNAL", message: errorText(thrown), hint: known?.hint }), { mode: 0o600 });
  process.exit(1);
}
