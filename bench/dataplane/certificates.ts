import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePrivateKey, generateKey, issueLeaf, issueRoot, publicKeyDer } from "../../src/pki/index.ts";

/** Paths of PEM files. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
  readonly root: string;
  /** Certificate and key in one file, as HAProxy takes them. */
  readonly both: string;
}

export type Role = "client" | "server";

/** Identities as the mesh's: the server admits the client by its SPIFFE id, and the client checks the server's. */
export const IDS: Record<Role, string> = {
  client: "spiffe://cluster.local/ns/bench/sa/client",
  server: "spiffe://cluster.local/ns/bench/sa/server",
};

/** For peers that can check host names only: both certificates carry one too. */
export const SERVER_NAME = "server.bench";

const DAY_MS = 86_400_000;

/** One root and a P-256 leaf for each hop, as istiod issues them. */
export async function makeIdentities(folder: string): Promise<Record<Role, Identity>> {
  const now = Date.now();
  const rootKey = await generateKey("P-256");
  const rootCertificate = issueRoot({ organization: "cluster.local", key: rootKey, now, lifetimeMs: DAY_MS });
  const root = join(folder, "root.pem");
  writeFileSync(root, rootCertificate.pem);
  const make = async (role: Role): Promise<Identity> => {
    const key = await generateKey("P-256");
    const names = { uris: [IDS[role]], ...(role === "server" && { dnsNames: [SERVER_NAME] }) };
    const leaf = issueLeaf({ signer: { certificate: rootCertificate, key: rootKey }, spki: publicKeyDer(key), names, now, lifetimeMs: DAY_MS });
    const paths = { certificate: join(folder, `${role}.pem`), key: join(folder, `${role}.key`), both: join(folder, `${role}-both.pem`), root };
    writeFileSync(paths.certificate, leaf.pem);
    writeFileSync(paths.key, encodePrivateKey(key));
    writeFileSync(paths.both, `${leaf.pem}\n${encodePrivateKey(key)}`);
    for (const file of [paths.key, paths.both]) chmodSync(file, 0o600);
    return paths;
  };
  return { client: await make("client"), server: await make("server") };
}
