import { readFileSync } from "node:fs";
import { systemClock, type Logger } from "../base/index.ts";
import { tlsDial, type ConnectFd, type Dial, type HeaderList } from "../proxy/grpc/index.ts";
import { SecretStore } from "../proxy/xds/index.ts";
import { createCertificate } from "./identity/ca-client.ts";
import { TrustBundleFile } from "./identity/trust-bundle.ts";
import { WORKLOAD_SECRET, WorkloadIdentity } from "./identity/workload-identity.ts";
import { hostOf, portOf } from "./node-metadata.ts";
import type { AgentOptions } from "./options.ts";

/** The workload's identity and the way to its control plane, whatever proxy stands beside it. */
export interface Workload {
  readonly secrets: SecretStore;
  readonly identity: WorkloadIdentity;
  /** The token, read for each call: the kubelet renews it. */
  readonly credentials: () => HeaderList;
  /** A connection to the control plane with the workload's certificate, once it has one. */
  readonly dialDiscovery: Dial;
}

/** Begins to ask for the workload's certificate. */
export function startWorkload(options: AgentOptions, connect: ConnectFd, log: Logger): Workload {
  const bundle = new TrustBundleFile(options.paths.rootCert, systemClock);
  const secrets = new SecretStore();
  const credentials = (): HeaderList => [
    ["authorization", `Bearer ${readFileSync(options.paths.token, "utf8").trim()}`],
    ["clusterid", options.clusterId],
  ];
  const target = (address: string) => ({ host: hostOf(address), port: portOf(address), serverName: hostOf(address), rootsPem: () => bundle.read(), connect });
  const caDial = tlsDial(target(options.caAddress));
  const identity = new WorkloadIdentity({
    spiffe: options,
    sign: (csr, ttl) => createCertificate({ dial: caDial, authority: options.caAddress, metadata: credentials, clock: systemClock }, csr, ttl),
    ttlSeconds: options.certificateTtlSeconds,
    keyAlgorithm: options.keyAlgorithm,
    bundle,
    revocations: new TrustBundleFile(options.paths.revocations, systemClock),
    secrets,
    clock: systemClock,
    random: Math.random,
    log: log.child("identity"),
  });
  identity.start();
  return {
    secrets,
    identity,
    credentials,
    dialDiscovery: tlsDial({ ...target(options.proxyConfig.discoveryAddress), identity: () => ownCertificate(secrets, identity) }),
  };
}

/** An expired certificate would end the handshake, where the token alone would do. */
function ownCertificate(secrets: SecretStore, identity: WorkloadIdentity): { certificateChainPem: string; privateKeyPem: string } | undefined {
  const secret = secrets.get(WORKLOAD_SECRET);
  const fresh = identity.expires !== undefined && identity.expires > systemClock.now();
  return fresh && secret && "certificateChainPem" in secret ? secret : undefined;
}
