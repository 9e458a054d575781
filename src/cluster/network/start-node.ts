import { mkdirSync } from "node:fs";
import type { Logger } from "../../base/index.ts";
import { AddressPool, findTools, NamespaceClient, parseCidr, ProcessRuntime, readIdMaps } from "../runtime/index.ts";
import { nodeRules, podRules } from "./node-rules.ts";

export interface NodeOptions {
  /** Such as 10.244.0.0/16; its first address is the node's. */
  podCidr: string;
  /** Such as 10.96.0.0/12. */
  serviceCidr: string;
  /** Service addresses served by this process: the API's and DNS's. */
  localAddresses: string[];
  /** A folder of this cluster alone. */
  stateDir: string;
  /** Folders that no pod may see even where they lie below /usr: the project, $CHAINMAIL_HOME. */
  hiddenPaths: string[];
  logger: Logger;
  onFatal(error: Error): void;
}

export interface Node {
  runtime: ProcessRuntime;
  client: NamespaceClient;
  /** A listening descriptor in the node's namespace, for Bun.listen, Bun.udpSocket or a net.Server's listen. */
  listen(protocol: "tcp" | "udp", host: string, port: number): Promise<number>;
  nodeIp: string;
  /** Ends all pods, then the worker. */
  stop(): Promise<void>;
}

/** Above the range of the sidecar's own ports. Only the node's own address listens on it. */
export const EGRESS_PORT = 15999;

/** Makes the node's network namespace and its rules. Call once in a process tree that launchCluster started. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { logger, serviceCidr, podCidr, localAddresses, stateDir, hiddenPaths } = options;
  const pool = new AddressPool(parseCidr(podCidr));
  const { nodeIp } = pool;
  const mountPoint = `${stateDir}/root`;
  mkdirSync(mountPoint, { recursive: true });
  const tools = findTools();
  const client = new NamespaceClient();
  const runtime = new ProcessRuntime({ client, pool, tools, maps: readIdMaps(), podRules, logger: logger.child("runtime"), onFatal: options.onFatal });
  try {
    await client.call("init", {
      nodeIp,
      localAddresses,
      mountPoint,
      tools,
      hiddenPaths,
      serviceCidr: parseCidr(serviceCidr),
      rules: nodeRules({ podCidr, serviceCidr, nodeIp, egressPort: EGRESS_PORT }),
    });
  } catch (error) {
    client.stop();
    throw error;
  }
  return {
    runtime,
    client,
    nodeIp,
    listen: (protocol, host, port) => client.call("listen", { where: "node", protocol, host, port }),
    async stop() {
      await runtime.stop();
      client.stop();
    },
  };
}
