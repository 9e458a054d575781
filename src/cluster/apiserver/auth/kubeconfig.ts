import type { KeyPair } from "./certificates.ts";
import { writePrivateFile } from "./private-files.ts";

export interface KubeconfigOptions {
  path: string;
  /** Names the cluster, the context and the user in the file. */
  name: string;
  /** `https://127.0.0.1:6443`. */
  server: string;
  /** PEM. */
  caCert: string;
  client: KeyPair;
  /** The namespace that commands without -n go to. */
  namespace?: string;
}

/** Writes a kubeconfig with everything embedded, readable by its owner only: it makes whoever holds it an administrator. */
export async function writeKubeconfig({ path, name, server, caCert, client, namespace }: KubeconfigOptions): Promise<void> {
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  const quoted = JSON.stringify(name);
  const lines = [
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    `- name: ${quoted}`,
    "  cluster:",
    `    certificate-authority-data: ${base64(caCert)}`,
    `    server: ${JSON.stringify(server)}`,
    "users:",
    `- name: ${quoted}`,
    "  user:",
    `    client-certificate-data: ${base64(client.cert)}`,
    `    client-key-data: ${base64(client.key)}`,
    "contexts:",
    `- name: ${quoted}`,
    "  context:",
    `    cluster: ${quoted}`,
    `    user: ${quoted}`,
    ...(namespace ? [`    namespace: ${JSON.stringify(namespace)}`] : []),
    `current-context: ${quoted}`,
    "",
  ];
  await writePrivateFile(path, lines.join("\n"));
}
