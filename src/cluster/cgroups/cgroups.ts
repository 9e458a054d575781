import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SUPERVISOR } from "./delegation.ts";
import { CONTROLLERS, readHierarchies, type Controller, type Hierarchies } from "./hierarchies.ts";
import { legacySettings, unifiedSettings, type Setting } from "./settings.ts";

export interface ContainerLimits {
  /** Bytes; what is above them ends the container. */
  memory?: number;
  /** Cores; what is above them waits. */
  cpus?: number;
  /** Cores: the share where there are not enough for all. */
  cpuRequest?: number;
}

/** The groups of one container, one in each hierarchy. */
export interface ContainerGroup {
  /** Files that take the number of a process, which is in the group from then on, with all that it starts. */
  procs: string[];
  /** Whether the kernel has ended a process in it for want of memory. */
  outOfMemory(): boolean;
  /** Once nothing runs in it any more. */
  remove(): Promise<void>;
}

export interface Cgroups {
  enforces(controller: Controller): boolean;
  /** Throws what the kernel refused. */
  create(id: string, limits: ContainerLimits): ContainerGroup;
  /** Removes all of it. */
  close(): void;
}

interface Base {
  version: 1 | 2;
  folder: string;
}

/** A group is busy until the kernel has buried its last process: some milliseconds, more on a loaded machine. */
const REMOVE_TRIES = 100;
const REMOVE_PAUSE_MS = 20;

/** Opens (and empties) the groups of that name below what this process may have. */
export function openCgroups(name: string, hierarchies: Hierarchies = readHierarchies()): Cgroups {
  const bases = new Map<Controller, Base>();
  for (const [controllers, base] of unifiedBases(name, hierarchies)) for (const controller of controllers) bases.set(controller, base);
  for (const controller of CONTROLLERS) {
    const own = hierarchies.legacy[controller];
    if (bases.has(controller) || own === undefined) continue;
    const folder = join(own, name);
    if (makeEmpty(folder)) bases.set(controller, { version: 1, folder });
  }
  const folders = [...new Set([...bases.values()].map(({ folder }) => folder))];
  return {
    enforces: (controller) => bases.has(controller),
    create(id, limits) {
      const leaf = id.replaceAll("/", "_");
      const groups = folders.map((folder) => join(folder, leaf));
      const remove = () => removeGroups(groups);
      try {
        for (const group of groups) mkdirSync(group);
        for (const [controller, { version, folder }] of bases) {
          for (const setting of (version === 2 ? unifiedSettings : legacySettings)(controller, limits)) apply(join(folder, leaf), setting);
        }
      } catch (error) {
        void remove();
        throw error;
      }
      const memory = bases.get("memory");
      return {
        procs: groups.map((group) => join(group, "cgroup.procs")),
        outOfMemory: () => memory !== undefined && killedForMemory(join(memory.folder, leaf), memory.version),
        remove,
      };
    },
    close() {
      for (const folder of folders) removeTree(folder);
    },
  };
}

/** The first place where this process may make a group with controllers: below the top as root, below a delegated group else. */
function unifiedBases(name: string, { unified }: Hierarchies): [Controller[], Base][] {
  if (!unified) return [];
  const delegated = unified.own.endsWith(`/${SUPERVISOR}`) ? [unified.own.slice(0, -SUPERVISOR.length - 1)] : [];
  for (const parent of [unified.top, ...delegated]) {
    enable(parent);
    const folder = join(parent, name);
    if (!makeEmpty(folder)) continue;
    enable(folder);
    const controllers = words(join(folder, "cgroup.subtree_control")).filter((word): word is Controller => (CONTROLLERS as readonly string[]).includes(word));
    if (controllers.length > 0) return [[controllers, { version: 2, folder }]];
    removeTree(folder);
  }
  return [];
}

/** One by one: a controller that version 1 holds, or that was not delegated, must not keep the others out. */
function enable(folder: string): void {
  const there = words(join(folder, "cgroup.controllers"));
  for (const controller of CONTROLLERS) {
    if (there.includes(controller)) tryTo(() => writeFileSync(join(folder, "cgroup.subtree_control"), `+${controller}`));
  }
}

/** What a killed cluster left behind goes first. Answers whether the group is ours to use. */
function makeEmpty(folder: string): boolean {
  removeTree(folder);
  return tryTo(() => mkdirSync(folder, { mode: 0o755 }));
}

function removeTree(folder: string): void {
  const names = (() => {
    try {
      return readdirSync(folder, { withFileTypes: true });
    } catch {
      return []; // It is not there.
    }
  })();
  for (const entry of names) if (entry.isDirectory()) tryTo(() => rmdirSync(join(folder, entry.name)));
  tryTo(() => rmdirSync(folder));
}

async function removeGroups(groups: string[]): Promise<void> {
  for (const group of groups) {
    for (let tries = 0; tries < REMOVE_TRIES && !tryTo(() => rmdirSync(group)); tries++) await Bun.sleep(REMOVE_PAUSE_MS);
  }
}

function apply(group: string, { file, value, optional }: Setting): void {
  const write = () => writeFileSync(join(group, file), value);
  if (optional) tryTo(write);
  else write();
}

function killedForMemory(group: string, version: 1 | 2): boolean {
  try {
    const text = readFileSync(join(group, version === 2 ? "memory.events" : "memory.oom_control"), "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
  } catch {
    return false; // The group is gone: nobody can say.
  }
}

function words(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split(/\s+/);
  } catch {
    return [];
  }
}

/** What the kernel refuses is told by the answer: the machine does not allow it, and another place is tried. */
function tryTo(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
