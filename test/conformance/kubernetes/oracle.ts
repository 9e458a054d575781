/** A real kube-apiserver with its etcd, on loopback ports of its own, with everything in a folder that goes when it stops. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OraclePrograms } from "./oracle-programs.ts";
import type { Target } from "./types.ts";

/** Long enough for a cold start on a busy machine; a quiet one takes three seconds. */
const START_TIMEOUT_MS = 90_000;

export interface OracleOptions {
  /** etcd writes through to the disk before it answers; without, a comparison need not wait for disks. */
  durable?: boolean;
  /** Files: the CA whose client certificates count, and the server's own certificate and key. */
  tls?: { clientCa: string; cert: string; key: string };
  /** Milliseconds between two looks whether it is ready. */
  pollMs?: number;
}

export interface Oracle {
  target: Target;
  url: string;
  token: string;
  /** Of the API server and of etcd. */
  pids: readonly number[];
  stop(): Promise<void>;
}

export async function startOracle({ apiserver, etcd }: OraclePrograms, { durable = false, tls, pollMs = 200 }: OracleOptions = {}): Promise<Oracle> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-oracle-"));
  const [client, peer, secure] = [freePort(), freePort(), freePort()];
  const token = crypto.randomUUID();
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const keyFile = file("sa.key", privateKey);
  const run = (command: string[], name: string) =>
    Bun.spawn(command, { cwd: folder, stdin: "ignore", stdout: Bun.file(join(folder, `${name}.out`)), stderr: Bun.file(join(folder, `${name}.log`)) });
  const local = (port: number) => `http://127.0.0.1:${port}`;
  const store = run(
    [
      etcd,
      "--data-dir",
      join(folder, "etcd"),
      ...(durable ? [] : ["--unsafe-no-fsync"]),
      "--listen-client-urls",
      local(client),
      "--advertise-client-urls",
      local(client),
      "--listen-peer-urls",
      local(peer),
      "--initial-advertise-peer-urls",
      local(peer),
      "--initial-cluster",
      `default=${local(peer)}`,
    ],
    "etcd",
  );
  const server = run(
    [
      apiserver,
      "--etcd-servers",
      local(client),
      "--bind-address",
      "127.0.0.1",
      "--secure-port",
      String(secure),
      "--cert-dir",
      join(folder, "certs"),
      "--service-cluster-ip-range",
      "10.96.0.0/16",
      "--service-account-issuer",
      "https://kubernetes.default.svc.cluster.local",
      "--service-account-key-file",
      file("sa.pub", publicKey),
      "--service-account-signing-key-file",
      keyFile,
      "--authorization-mode",
      "RBAC",
      "--token-auth-file",
      file("tokens.csv", `${token},conformance,conformance,system:masters\n`),
      "--allow-privileged=true",
      // Nothing reviews objects of the aggregation layer here, and the address of the machine is nobody's business.
      "--endpoint-reconciler-type=none",
      ...(tls ? ["--client-ca-file", tls.clientCa, "--tls-cert-file", tls.cert, "--tls-private-key-file", tls.key] : []),
    ],
    "apiserver",
  );
  const stop = async () => {
    server.kill("SIGKILL");
    store.kill("SIGKILL");
    await Promise.all([server.exited, store.exited]);
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `https://127.0.0.1:${secure}`;
  const target: Target = (path, init) =>
    fetch(url + path, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      keepalive: false,
      tls: { rejectUnauthorized: false },
    } as RequestInit);
  try {
    await ready(target, pollMs, () => server.exitCode ?? store.exitCode);
  } catch (error) {
    const log = await Bun.file(join(folder, "apiserver.log")).text();
    await stop();
    throw new Error(`the kube-apiserver did not become ready; its log ends: ${log.slice(-2000)}`, { cause: error });
  }
  return { target, url, token, pids: [server.pid, store.pid], stop };
}

async function ready(target: Target, pollMs: number, exited: () => number | null): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let last: unknown;
  while (Date.now() < deadline) {
    if (exited() !== null) throw new Error("it ended");
    try {
      const answer = await target("/readyz", { method: "GET", headers: {} });
      if (answer.ok && (await target("/api/v1/namespaces/default", { method: "GET", headers: {} })).ok) return;
      last = await answer.text();
    } catch (error) {
      last = error;
    }
    await Bun.sleep(pollMs);
  }
  throw new Error("not ready in time", { cause: last });
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
