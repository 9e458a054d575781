/** Workload certificates as agents ask for them: over TLS, each proved by a service account's token. */
import { ChannelCredentials, Client, credentials, Metadata } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CONFIG_MAPS, SERVICE_ACCOUNTS } from "../../src/kube/index.ts";
import { createCsr, generateKey } from "../../src/pki/index.ts";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../../src/proto/gen/istio/auth/ca_pb.ts";
import type { ConfigMap, KubeObject } from "../../src/resources/index.ts";
import type { Api } from "./children.ts";
import type { ControlPlane } from "./control-planes.ts";
import { cpuMs, nowMs } from "./process-figures.ts";
import { podOf } from "./world.ts";

export interface CertificateFigures {
  /** Of the control plane alone. */
  perCpuSecond: number;
  perSecond: number;
  /** Reviews of tokens that the API server was asked for while certificates were issued. */
  reviews: number;
}

const CONNECTIONS = 8;
/** Requests that each connection has under way. */
const IN_FLIGHT = 2;
const WARM_UP = 1_000;
/** istiod makes its root known some time after it is ready. */
const ROOT_TIMEOUT_MS = 20_000;
const METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const identity = (bytes: Buffer): Buffer => bytes;

/** Issues `count` certificates for the tokens of `workloads` pods, each of which has had some before. */
export async function issueCertificates(plane: ControlPlane, api: Api, count: number, workloads: number): Promise<CertificateFigures> {
  const channel = credentials.createSsl(Buffer.from(await rootOf(api)));
  const clients = Array.from({ length: CONNECTIONS }, () => connect(plane.ports.secure, channel));
  try {
    const tokens = await Promise.all(Array.from({ length: workloads }, (_, index) => tokenOf(api, index)));
    // Making a key costs more than signing for it, and is not the control plane's.
    const request = Buffer.from(
      toBinary(
        IstioCertificateRequestSchema,
        create(IstioCertificateRequestSchema, { csr: createCsr({ key: await generateKey("P-256") }), validityDuration: 86_400n }),
      ),
    );
    // Each token is reviewed once, and what is compiled while it runs is compiled.
    await inTurn(clients, WARM_UP, (client, index) => issue(client, request, tokens[index % workloads] as string));
    const before = await reviews(api);
    const cpu = cpuMs(plane.pid);
    const started = nowMs();
    await inTurn(clients, count, (client, index) => issue(client, request, tokens[index % workloads] as string));
    return { perCpuSecond: (count / (cpuMs(plane.pid) - cpu)) * 1000, perSecond: (count / (nowMs() - started)) * 1000, reviews: (await reviews(api)) - before };
  } finally {
    for (const client of clients) client.close();
  }
}

async function rootOf(api: Api): Promise<string> {
  for (const started = nowMs(); nowMs() - started < ROOT_TIMEOUT_MS; await Bun.sleep(100)) {
    const roots = await api.client.find<ConfigMap>(CONFIG_MAPS, "istio-ca-root-cert", "app-0");
    if (roots?.data?.["root-cert.pem"]) return roots.data["root-cert.pem"];
  }
  throw new Error("the control plane makes no root known");
}

async function tokenOf(api: Api, index: number): Promise<string> {
  const { namespace, serviceAccount } = podOf(index);
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: { name: "" },
    spec: { audiences: ["istio-ca"], expirationSeconds: 3600 },
  };
  const { status } = await api.client.createSubresource<KubeObject<unknown, { token?: string }>>(SERVICE_ACCOUNTS, serviceAccount, namespace, "token", request);
  if (!status?.token) throw new Error("the API server gave no token");
  return status.token;
}

/** How many TokenReviews the API server has answered, by its own metrics. */
async function reviews(api: Api): Promise<number> {
  const text = await (await api.client.transport("/metrics")).text();
  return text
    .split("\n")
    .reduce((sum, line) => (/^apiserver_request_total\{.*resource="tokenreviews"/.test(line) ? sum + Number(line.slice(line.lastIndexOf(" "))) : sum), 0);
}

function connect(port: number, channel: ChannelCredentials): Client {
  return new Client(`localhost:${port}`, channel, {
    "grpc.ssl_target_name_override": "istiod.istio-system.svc",
    "grpc.default_authority": "istiod.istio-system.svc",
    "grpc.use_local_subchannel_pool": 1,
  });
}

function issue(client: Client, request: Buffer, token: string): Promise<void> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(METHOD, identity, identity, request, metadata, (error, response) => {
      if (error) reject(error);
      else if (fromBinary(IstioCertificateResponseSchema, response ?? new Uint8Array()).certChain.length < 2) reject(new Error("an answer without a chain"));
      else resolve();
    });
  });
}

async function inTurn(clients: readonly Client[], count: number, work: (client: Client, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (client: Client) => {
    for (let index = next++; index < count; index = next++) await work(client, index);
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => worker(client))));
}
