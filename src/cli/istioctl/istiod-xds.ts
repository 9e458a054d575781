import { create, fromBinary, toBinary, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { existsSync, readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { ChainmailError, systemClock } from "../../base/index.ts";
import { CONFIG_MAPS, resourcePath, SERVICE_ACCOUNTS } from "../../kube/index.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema, type DiscoveryResponse } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { GrpcClient, GrpcError, type Dial } from "../../proxy/grpc/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { parseGoDuration } from "./format/go-duration.ts";
import type { KubeAccess } from "./kube-access.ts";
import { istiodPods, podRef } from "./version.ts";
import type { XdsOptions } from "./xds-flags.ts";

const METHOD = "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
/** One debug question to each replica of istiod over xDS, as proxy-status and internal-debug ask. */
export async function askIstiod(kube: KubeAccess, typeUrl: string, resourceNames: readonly string[], options: XdsOptions): Promise<DiscoveryResponse[]> {
  const { plaintext, timeout } = options;
  const timeoutMs = parseGoDuration(timeout, "--timeout");
  const [connections, token, trust] = await Promise.all([
    connectAll(kube, options),
    plaintext ? undefined : istiodToken(kube),
    plaintext ? undefined : trustOf(kube, options),
  ]);
  return Promise.all(
    connections.map(async (connection) => {
      const serverName = options.authority ?? `istiod.${kube.istioNamespace}.svc`;
      const client = await GrpcClient.connect({
        dial: trust ? tlsOver(connection, serverName, trust) : plainOver(connection),
        authority: `${serverName}:${options.xdsPort}`,
        clock: systemClock,
      });
      try {
        return await ask(client, token, { node: nodeOf(kube.istioNamespace), typeUrl, resourceNames: [...resourceNames] }, timeoutMs);
      } finally {
        client.close();
        connection.destroy();
      }
    }),
  );
}

/** A tunnel to each replica, or one connection to the address that was given. */
async function connectAll(kube: KubeAccess, { xdsAddress, xdsPort, xdsLabel, revision }: XdsOptions): Promise<Duplex[]> {
  if (xdsAddress === undefined) return Promise.all((await replicas(kube, revision, xdsLabel)).map((pod) => kube.connect(podRef(pod), xdsPort)));
  const [, host = "", port = ""] = /^(?:\[([^\]]+)\]|[^:]+):(\d+)$/.exec(xdsAddress) ?? [];
  if (port === "") throw new ChainmailError("USAGE", `${JSON.stringify(xdsAddress)} is no address: host:port is`);
  const socket = connectTcp(Number(port), host === "" ? xdsAddress.slice(0, xdsAddress.lastIndexOf(":")) : host);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (cause) => reject(new ChainmailError("DIAL_FAILED", `istiod at ${xdsAddress}: ${cause.message}`, { cause })));
  });
  return [socket];
}

async function replicas(kube: KubeAccess, revision: string | undefined, label: string | undefined): Promise<KubeObject[]> {
  try {
    return await istiodPods(kube, revision, label);
  } catch (cause) {
    // Where istiod is asked over xDS, Istio says so in fewer words.
    throw isMissing(cause) ? new ChainmailError("ISTIOD_MISSING", `no running Istio pods in ${JSON.stringify(kube.istioNamespace)}`, { cause }) : cause;
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof ChainmailError && cause.code === "ISTIOD_MISSING";
}

/** The resources of all replicas' answers. */
export function resourcesOf(answers: readonly DiscoveryResponse[]): Any[] {
  return answers.flatMap(({ resources }) => resources);
}

/**
 * Who asks: a sidecar of the control plane's namespace, which is whom the token is for; Istio's own control plane takes
 * no other kind of node. GENERATOR says that no configuration is wanted.
 */
function nodeOf(namespace: string): { id: string; metadata: JsonObject } {
  return {
    id: `sidecar~0.0.0.0~istioctl.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { GENERATOR: "event", NAMESPACE: namespace, SERVICE_ACCOUNT: "default" },
  };
}

function ask(
  client: GrpcClient,
  token: string | undefined,
  request: MessageInitShape<typeof DiscoveryRequestSchema>,
  timeoutMs: number,
): Promise<DiscoveryResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<DiscoveryResponse>();
  const stream = client.stream(METHOD, token === undefined ? [] : [["authorization", `Bearer ${token}`]], {
    message: (bytes) => {
      resolve(fromBinary(DiscoveryResponseSchema, bytes));
      stream.end();
    },
    closed: (status) => reject(new GrpcError(status)),
  });
  setTimeout(() => reject(new ChainmailError("ISTIOD_SILENT", `istiod did not answer ${request.typeUrl} within ${timeoutMs / 1000} s`)), timeoutMs).unref();
  stream.send(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)));
  return promise;
}

/** A token of the control plane namespace's default account, for istiod only. */
async function istiodToken(kube: KubeAccess): Promise<string> {
  const path = resourcePath(SERVICE_ACCOUNTS, kube.istioNamespace, "default", "token");
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: ["istio-ca"], expirationSeconds: 3600 } };
  const response = await kube.client.transport(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { status?: { token?: string } | string; message?: string };
  const token = typeof answer.status === "object" ? answer.status.token : undefined;
  if (!response.ok || !token) throw new ChainmailError("TOKEN_REFUSED", `no token for istiod: ${answer.message ?? response.statusText}`);
  return token;
}

/** The mesh's roots from the cluster: istioctl takes any certificate here, we take istiod's. */
async function meshRoots(kube: KubeAccess): Promise<string> {
  const map = await kube.client.get(CONFIG_MAPS, "istio-ca-root-cert", kube.istioNamespace);
  const roots = (map.data as Record<string, string> | undefined)?.["root-cert.pem"];
  if (!roots) throw new ChainmailError("ROOTS_MISSING", `ConfigMap istio-ca-root-cert in ${kube.istioNamespace} has no root-cert.pem`);
  return roots;
}

/** Whom to trust, and who the client is. */
interface Trust {
  /** undefined: anybody. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

async function trustOf(kube: KubeAccess, { insecure, certDir }: XdsOptions): Promise<Trust> {
  const file = (name: string): string | undefined => {
    const path = join(certDir ?? "", name);
    return certDir !== undefined && existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  const [cert, key] = [file("cert-chain.pem"), file("key.pem")];
  const own = cert !== undefined && key !== undefined ? { cert, key } : {};
  return insecure ? own : { ca: file("root-cert.pem") ?? (await meshRoots(kube)), ...own };
}

function plainOver(connection: Duplex): Dial {
  return (handlers) => {
    connection.on("data", (bytes: Buffer) => handlers.data(bytes));
    connection.on("drain", () => handlers.drain());
    connection.on("close", () => handlers.closed("connection closed"));
    connection.on("error", (error: Error) => handlers.closed(error.message));
    return Promise.resolve(writerOf(connection));
  };
}

/** Node's streams take everything and keep it. */
function writerOf(stream: Duplex): { write(bytes: Uint8Array): number; end(): void } {
  return {
    write(bytes) {
      stream.write(bytes);
      return bytes.length;
    },
    end: () => void stream.end(),
  };
}

function tlsOver(connection: Duplex, serverName: string, { ca, ...own }: Trust): Dial {
  return (handlers) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ write(bytes: Uint8Array): number; end(): void }>();
    const socket = connectTls({
      socket: connection,
      servername: serverName,
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      ...own,
      ALPNProtocols: ["h2"],
    });
    socket.on("data", (bytes: Buffer) => handlers.data(bytes));
    socket.on("drain", () => handlers.drain());
    socket.on("close", () => handlers.closed("connection closed"));
    socket.on("error", (error: Error) => {
      reject(new ChainmailError("DIAL_FAILED", `istiod: ${error.message}`, { cause: error }));
      handlers.closed(error.message);
    });
    socket.once("secureConnect", () => resolve(writerOf(socket)));
    return promise;
  };
}
