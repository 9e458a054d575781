import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ChainmailError } from "../base/index.ts";

/** Where one cluster keeps what outlives a run. All of it below $CHAINMAIL_HOME, which is 0700. */
export interface ClusterPaths {
  name: string;
  folder: string;
  settings: string;
  kubeconfig: string;
  /** Written when the cluster process has done its part, with the time it began; gone while it starts. */
  started: string;
  /** Written when the cluster process gives up: why. */
  failure: string;
  /** Database, keys, volumes and logs of pods. */
  state: string;
  log: string;
  pid: string;
  /** Names the control groups of its containers on this machine. */
  cgroup: string;
  /** The workshop's folder, which the lab's prerequisite `cd` names. */
  lab: string;
}

/** What `up` decided once for a cluster and later runs keep. */
export interface ClusterSettings {
  /** The loopback address that carries the API, node ports and load-balancer ports. */
  address: string;
  apiPort: number;
  /** Whether istiod, the gateway, the console and the metrics store are installed. */
  mesh: boolean;
  /** Whose data plane runs in the pods, and for Envoy where its binary is. */
  proxy: ProxyKind;
  envoyPath?: string;
}

export type ProxyKind = "chainmail" | "envoy";

/** Kubernetes' default: what people have in their fingers. */
export const DEFAULT_API_PORT = 6443;

export function chainmailHome(env: Record<string, string | undefined> = process.env): string {
  if (env.CHAINMAIL_HOME) return env.CHAINMAIL_HOME;
  const state = env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), ".local", "state");
  return join(state, "chainmail");
}

export function clusterPaths(name: string, home = chainmailHome()): ClusterPaths {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new ChainmailError("CLUSTER_NAME_INVALID", `"${name}" cannot name a cluster: use up to 32 lower-case letters, digits and dashes`);
  }
  const folder = join(home, "clusters", name);
  return {
    name,
    folder,
    settings: join(folder, "cluster.json"),
    kubeconfig: join(folder, "kubeconfig"),
    started: join(folder, "state", "started.json"),
    failure: join(folder, "state", "failure.json"),
    state: join(folder, "state"),
    log: join(folder, "cluster.log"),
    pid: join(folder, "cluster.pid"),
    cgroup: `chainmail-${name}-${Bun.hash(folder).toString(36)}`,
    lab: join(folder, "lab"),
  };
}

/** Makes the folders private to their owner: keys, tokens and the database live there. */
export function prepareFolders(paths: ClusterPaths, home = chainmailHome()): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
  mkdirSync(paths.state, { recursive: true, mode: 0o700 });
}

export function readSettings(paths: ClusterPaths): ClusterSettings | undefined {
  if (!existsSync(paths.settings)) return undefined;
  const value: unknown = JSON.parse(readFileSync(paths.settings, "utf8"));
  if (typeof value !== "object" || value === null) throw damaged(paths);
  const { address, apiPort, mesh, proxy, envoyPath } = value as Record<string, unknown>;
  if (typeof address !== "string" || typeof apiPort !== "number" || typeof mesh !== "boolean") throw damaged(paths);
  const envoy = proxy === "envoy" && typeof envoyPath === "string";
  return { address, apiPort, mesh, ...(envoy ? { proxy, envoyPath } : { proxy: "chainmail" }) };
}

export function writeSettings(paths: ClusterPaths, settings: ClusterSettings): void {
  writeFileSync(paths.settings, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
}

export function clusterNames(home = chainmailHome()): string[] {
  const folder = join(home, "clusters");
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** 127.0.0.1 for the default cluster; the first free 127.77.N.1 for others, so that they stand side by side. */
export function chooseAddress(name: string, taken: string[]): string {
  if (name === "default") return "127.0.0.1";
  for (let n = 1; n < 255; n++) {
    const address = `127.77.${n}.1`;
    if (!taken.includes(address)) return address;
  }
  throw new ChainmailError("TOO_MANY_CLUSTERS", "254 clusters have an address already", { hint: "chainmail down --name NAME --delete" });
}

function damaged(paths: ClusterPaths): ChainmailError {
  return new ChainmailError("CLUSTER_SETTINGS_DAMAGED", `${paths.settings} is not what this version writes`, {
    hint: `rm ${paths.settings} && chainmail up --name ${paths.name}`,
  });
}
