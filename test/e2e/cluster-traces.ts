/** What pods leave on the machine while they live, as the host's /proc shows it: all of it must go with them. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";

export interface ClusterTraces {
  /** Of the whole tree. */
  processes: number;
  /** Network, uts and ipc namespaces that the cluster's process holds. */
  namespaces: number;
  /** Its descriptors of other kinds: pipes, sockets, processes, files. */
  descriptors: number;
  /** In its mount namespace. */
  mounts: number;
  /** In the node's network namespace: a veth a pod. */
  interfaces: number;
  /** Folders of pods on disk. */
  folders: number;
}

/** `status`: what `chainmail status` prints of a running cluster. */
export function clusterTraces(status: string): ClusterTraces {
  const [outer, log] = [/pid (\d+)/.exec(status)?.[1], /^ *log +(\S+)/m.exec(status)?.[1]];
  if (!outer || !log) throw new Error(`no cluster runs: ${status}`);
  const tree = descendants(Number(outer));
  const pid = tree.find((one) => readlink(`/proc/${one}/exe`).includes("bun"));
  if (pid === undefined) throw new Error(`process ${outer} has no cluster below it`);
  const open = readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlink(`/proc/${pid}/fd/${fd}`))
    .filter((target) => target !== "");
  const namespaces = open.filter((target) => /^(net|uts|ipc):/.test(target)).length;
  // The thread that stands in the node's network sees its interfaces; the others stand in the host's.
  const interfaces = readdirSync(`/proc/${pid}/task`)
    .filter((task) => readlink(`/proc/${pid}/task/${task}/ns/net`) !== readlink("/proc/self/ns/net"))
    .map((task) => lines(`/proc/${pid}/task/${task}/net/dev`) - 2);
  return {
    processes: tree.length,
    namespaces,
    descriptors: open.length - namespaces,
    mounts: lines(`/proc/${pid}/mountinfo`),
    interfaces: Math.max(0, ...interfaces),
    folders: readdirSync(join(dirname(log), "state", "pods", "pods")).length,
  };
}

/** The process and all below it, parents first. */
function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = Number(
      read(`/proc/${entry}/stat`)
        .replace(/^.*\) /s, "")
        .split(" ")[1],
    );
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function lines(path: string): number {
  return read(path).trimEnd().split("\n").length;
}

/** Both are empty when the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
