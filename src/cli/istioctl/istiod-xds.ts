import { create, fromBinary, toBinary, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { ChainmailError, systemClock } from "../../base/index.ts";
import { CONFIG_MAPS, resourcePath, SERVICE_ACCOUNTS } from "../../kube/index.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema, type DiscoveryResponse } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { GrpcClient, GrpcError, type Dial } from "../../proxy/grpc/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { KubeAccess } from "./kube-access.ts";
import { istiodPods, podRef } from "./version.ts";

const XDS_PORT = 15012;
const METHOD = "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
/** A control plane answers debug questions from memory. */
const TIMEOUT_MS = 15_000;

/** One debug question to each replica of istiod over xDS, as proxy-status and internal-debug ask. */
export async function askIstiod(kube: KubeAccess, typeUrl: string, resourceNames: readonly string[] = [], revision?: string): Promise<DiscoveryResponse[]> {
  const [pods, token, roots] = await Promise.all([replicas(kube, revision), istiodToken(kube), meshRoots(kube)]);
  return Promise.all(
    pods.map(async (pod) => {
      const connection = await kube.connect(podRef(pod), XDS_PORT);
      const serverName = `istiod.${kube.istioNamespace}.svc`;
      const client = await GrpcClient.connect({ dial: tlsOver(connection, serverName, roots), authority: `${serverName}:${XDS_PORT}`, clock: systemClock });
      try {
        return await ask(client, token, { node: nodeOf(kube.istioNamespace), typeUrl, resourceNames: [...resourceNames] });
      } finally {
        client.close();
        connection.destroy();
      }
    }),
  );
}

async function replicas(kube: KubeAccess, revision: string | undefined): Promise<KubeObject[]> {
  try {
    return await istiodPods(kube, revision);
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
  return { id: `sidecar~0.0.0.0~istioctl.${namespace}~${namespace}.svc.cluster.local`, metadata: { GENERATOR: "event", NAMESPACE: namespace, SERVICE_ACCOUNT: "default" } };
}

function ask(client: GrpcClient, token: string, request: MessageInitShape<typeof DiscoveryRequestSchema>): Promise<DiscoveryResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<DiscoveryResponse>();
  const stream = client.stream(METHOD, [["authorization", `Bearer ${token}`]], {
    message: (bytes) => {
      resolve(fromBinary(DiscoveryResponseSchema, bytes));
      stream.end();
    },
    closed: (status) => reject(new GrpcError(status)),
  });
  setTimeout(() => reject(new ChainmailError("ISTIOD_SILENT", `istiod did not answer ${request.typeUrl} within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS).unref();
  stream.send(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)));
  return promise;
}

/** A token of the control plane namespace's default account, for istiod only. */
async function istiodToken(kube: KubeAccess): Promise<string> {
  const path = resourcePath(SERVICE_ACCOUNTS, kube.istioNamespace, "default", "token");
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: ["istio-ca"], expirationSeconds: 3600 } };
  const response = await kube.client.transport(path, { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(body) });
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

function tlsOver(connection: Duplex, serverName: string, roots: string): Dial {
  return (handlers) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ write(bytes: Uint8Array): number; end(): void }>();
    const socket = connectTls({ socket: connection, servername: serverName, ca: roots, ALPNProtocols: ["h2"] });
    socket.on("data", (bytes: Buffer) => handlers.data(bytes));
    socket.on("drain", () => handlers.drain());
    socket.on("close", () => handlers.closed("connection closed"));
    socket.on("error", (error: Error) => {
      reject(new ChainmailError("DIAL_FAILED", `istiod: ${error.message}`, { cause: error }));
      handlers.closed(error.message);
    });
    socket.once("secureConnect", () =>
      resolve({
        // Node's streams take everything and keep it.
        write(bytes) {
          socket.write(bytes);
          return bytes.length;
        },
        end: () => void socket.end(),
      }),
    );
    return promise;
  };
}
