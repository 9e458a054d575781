import { join } from "node:path";
import type { Container, Pod } from "../../resources/index.ts";
import type { Image, ImageCatalogue } from "../images/types.ts";
import type { ContainerLimits } from "../cgroups/index.ts";
import type { ContainerSpec, Mount } from "../runtime/types.ts";
import { configError } from "./env.ts";
import { expand } from "./expand.ts";
import { podHostname } from "./pod-files.ts";
import { parseQuantity } from "./quantity.ts";
import { processIdentity } from "./security.ts";
import { prepareSubPath, type MountedVolume } from "./volumes/mounted.ts";

/** What container runtimes set where neither image nor pod does. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ContainerSpecInput {
  pod: Pod;
  container: Container;
  image: Image;
  catalogue: ImageCatalogue;
  /** Counts the starts of this container, from 0. */
  attempt: number;
  /** Complete, services included. */
  env: Record<string, string>;
  volumes: ReadonlyMap<string, MountedVolume>;
  /** Host paths of /etc/hosts, /etc/hostname and /etc/resolv.conf. */
  podFiles: { hosts: string; hostname: string; resolvConf: string };
  terminationLog: string;
  logPath: string;
  /** The started container whose processes this one joins. */
  joins?: string;
  /** Makes a folder for what the container changes in its image's root. */
  makeRoot(): string;
}

/** All that the runtime needs to start a container. Throws CONTAINER_CONFIG for what cannot be mounted or run. */
export function containerSpec(input: ContainerSpecInput): ContainerSpec {
  const { pod, container, image } = input;
  const identity = processIdentity(pod, container, image, input.catalogue);
  const env: Record<string, string> = {
    PATH: DEFAULT_PATH,
    HOME: identity.home,
    HOSTNAME: podHostname(pod),
    ...(container.tty ? { TERM: "xterm" } : {}),
    ...input.env,
  };
  const lookup = (name: string) => env[name];
  const command = (container.command?.length ? container.command : undefined)?.map((part) => expand(part, lookup));
  const args = (container.args?.length ? container.args : undefined)?.map((part) => expand(part, lookup));
  // As Docker: a command of the pod's own also drops the image's default arguments.
  const argv = [...(command ?? image.entrypoint), ...(args ?? (command ? [] : image.cmd))];
  if (argv.length === 0) throw configError(`no command specified: image ${container.image} has none and container ${container.name} gives none`);
  return {
    id: `${pod.metadata.uid}/${container.name}/${input.attempt}`,
    argv,
    env,
    workingDir: container.workingDir || image.workingDir || "/",
    mounts: mounts(input, identity.readOnlyRoot, lookup),
    ...(input.joins === undefined ? {} : { joins: input.joins }),
    ...(image.own?.root === undefined ? {} : { root: { folder: image.own.root, writable: input.makeRoot() } }),
    uid: identity.uid,
    gid: identity.gid,
    groups: identity.groups,
    readOnlyRoot: identity.readOnlyRoot,
    capabilities: identity.capabilities,
    ...limitsOf(container),
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    logPath: input.logPath,
  };
}

/** What the container may use; nothing where it sets no limit. */
function limitsOf({ resources }: Container): { limits?: ContainerLimits } {
  const amount = (quantity: string | number | undefined) => (quantity === undefined ? undefined : parseQuantity(quantity));
  const memory = amount(resources?.limits?.["memory"]);
  const cpus = amount(resources?.limits?.["cpu"]);
  const cpuRequest = amount(resources?.requests?.["cpu"]);
  if (!memory && !cpus) return {};
  return { limits: { ...(memory ? { memory: Math.ceil(memory) } : {}), ...(cpus ? { cpus } : {}), ...(cpuRequest ? { cpuRequest } : {}) } };
}

/** Parents before what is mounted inside them, whatever order the pod lists them in. */
function mounts(input: ContainerSpecInput, readOnlyRoot: boolean, lookup: (name: string) => string | undefined): Mount[] {
  const { container, image, podFiles } = input;
  const list: Mount[] = image.files.map(({ hostPath, containerPath, writable = false }) => ({ hostPath, containerPath, readOnly: !writable }));
  for (const mount of container.volumeMounts ?? []) {
    const volume = input.volumes.get(mount.name);
    if (!volume) throw configError(`volume ${mount.name} of mount ${mount.mountPath} not found in the pod`);
    const subPath = mount.subPathExpr ? expandStrict(mount.subPathExpr, lookup) : mount.subPath;
    list.push({
      hostPath: volume.hostPath,
      ...(subPath ? { subPath: prepareSubPath(volume, subPath) } : {}),
      containerPath: mountPath(mount.mountPath),
      readOnly: volume.readOnly || (mount.readOnly ?? false),
    });
  }
  const taken = new Set(list.map((m) => m.containerPath));
  const own: Mount[] = [
    { hostPath: podFiles.hosts, containerPath: "/etc/hosts", readOnly: readOnlyRoot },
    { hostPath: podFiles.hostname, containerPath: "/etc/hostname", readOnly: readOnlyRoot },
    { hostPath: podFiles.resolvConf, containerPath: "/etc/resolv.conf", readOnly: readOnlyRoot },
    { hostPath: input.terminationLog, containerPath: container.terminationMessagePath || "/dev/termination-log", readOnly: false },
  ];
  list.push(...own.filter((m) => !taken.has(m.containerPath)));
  return list.sort((a, b) => depth(a.containerPath) - depth(b.containerPath));
}

/** From the root on, even where the pod says it otherwise; the root itself is the image's. */
function mountPath(path: string): string {
  const full = join("/", path);
  if (full === "/") throw configError(`mountPath ${JSON.stringify(path)} would hide the image's own files`);
  return full;
}

function depth(path: string): number {
  return path.split("/").filter(Boolean).length;
}

function expandStrict(text: string, lookup: (name: string) => string | undefined): string {
  return expand(text, (name) => {
    const value = lookup(name);
    if (value === undefined) throw configError(`subPathExpr ${text} names ${name}, which is not an environment variable of the container`);
    return value;
  });
}
