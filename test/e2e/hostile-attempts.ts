// Run by Bun inside a hostile pod: tries what must not work and prints, as JSON, what came of each. "worked" means just
// that; anything else is how it was refused.
import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  syscall: { returns: FFIType.i64, args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"] },
  __errno_location: { returns: "ptr", args: [] },
});
const NUMBERS: Record<string, [x64: number, arm64: number]> = {
  add_key: [248, 217],
  bpf: [321, 280],
  chroot: [161, 51],
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  keyctl: [250, 219],
  mknodat: [259, 33],
  mount: [165, 40],
  open_by_handle_at: [304, 265],
  perf_event_open: [298, 241],
  pivot_root: [155, 41],
  setgid: [106, 144],
  sethostname: [170, 161],
  setns: [308, 268],
  setsockopt: [54, 208],
  setuid: [105, 146],
  socket: [41, 198],
  syslog: [103, 116],
  unshare: [272, 97],
  userfaultfd: [323, 282],
};
const NAMES: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  9: "EBADF",
  13: "EACCES",
  22: "EINVAL",
  30: "EROFS",
  38: "ENOSYS",
  93: "EPROTONOSUPPORT",
  94: "ESOCKTNOSUPPORT",
  97: "EAFNOSUPPORT",
};
const text = (value: string) => Buffer.from(`${value}\0`);
const kept: Buffer[] = [];

/** A system call: "worked", or errno's name. Buffers are passed by address. */
function call(name: string, ...args: (number | string | Buffer)[]): string {
  const result = raw(name, ...args);
  if (result >= 0) return "worked";
  return failure();
}

function raw(name: string, ...args: (number | string | Buffer)[]): number {
  const numbers = NUMBERS[name];
  if (!numbers) throw new Error(`no number of ${name}`);
  const values = args.map((arg) => {
    if (typeof arg === "number") return arg;
    const buffer = typeof arg === "string" ? text(arg) : arg;
    kept.push(buffer);
    return ptr(buffer);
  });
  const [a = 0, b = 0, d = 0, e = 0, f = 0] = values;
  return Number(libc.syscall(numbers[process.arch === "arm64" ? 1 : 0], a, b, d, e, f, 0));
}

function failure(): string {
  const errno = read.i32(libc.__errno_location() ?? 0, 0);
  return NAMES[errno] ?? `errno ${errno}`;
}

function file(work: () => unknown): string {
  try {
    const result = work();
    return Array.isArray(result) || typeof result === "string" ? (result.length > 0 ? "worked" : "empty") : "worked";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

const AF_INET = 2;
const SOCK = { STREAM: 1, RAW: 3 };
const CLONE = { NEWNS: 0x20000, NEWUSER: 0x10000000, NEWNET: 0x40000000 };
const one = Buffer.from(new Int32Array([1]).buffer);
const mark = Buffer.from(new Int32Array([1337]).buffer);
const stream = raw("socket", AF_INET, SOCK.STREAM, 0);
const [command = "", ...paths] = process.argv.slice(2);

/**
 * Looks, as often as it can, through /proc at the roots of processes that are being started here. What is not this
 * container's own root is told: which folders are in it, and what the telling ones of them hold.
 */
function watch(milliseconds: number): { looked: number; foreign: string[] } {
  const list = (path: string): string => {
    try {
      return readdirSync(path).sort().join(",");
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : "";
    }
  };
  /** The process may have come into our own root between two looks. */
  const describe = (path: string, seen: string): string => {
    const strangers = seen.split(",").filter((name) => /^\d+$/.test(name) && !list("/proc").split(",").includes(name) && Number(name) > 1);
    if (path === "/proc" && seen.includes("cpuinfo")) return strangers.length > 3 ? `processes ${strangers.join()}` : "own";
    return seen === list(path) ? "own" : seen;
  };
  const foreign = new Set<string>();
  let looked = 0;
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      looked += 1;
      const root = `/proc/${pid}/root`;
      // Only the tools' root, and the machine's, have other folders than ours.
      const own = list("/");
      const seen = list(root);
      if (seen !== own && !/^(E[A-Z]+)?$/.test(seen))
        foreign.add(["/proc", "/etc", "/home", "/root", "/dev"].map((path) => `${path} ${describe(path, list(root + path))}`).join("; "));
    }
  }
  return { looked, foreign: [...foreign] };
}

if (command === "watch") {
  console.log(JSON.stringify(watch(Number(paths[0]))));
  process.exit(0);
}

const attempts = {
  // Files of the machine.
  ...Object.fromEntries(paths.map((path) => [`read ${path}`, file(() => readdirSync(path))])),
  "read /etc/shadow": file(() => readFileSync("/etc/shadow")),
  "read /proc/kcore": file(() => readFileSync("/proc/kcore")),
  "read the kernel's log": call("syslog", 3, Buffer.alloc(4096), 4096),
  "write core_pattern": file(() => writeFileSync("/proc/sys/kernel/core_pattern", "|/x")),
  "write sysrq-trigger": file(() => writeFileSync("/proc/sysrq-trigger", "h")),
  "write ip_forward": file(() => writeFileSync("/proc/sys/net/ipv4/ip_forward", "1")),
  "write oom of init": file(() => writeFileSync("/proc/sys/vm/overcommit_memory", "1")),
  "look at /sys": file(() => readdirSync("/sys")),
  "list devices": file(() =>
    readdirSync("/dev").filter(
      (name) =>
        !["null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "ptmx", "fd", "stdin", "stdout", "stderr", "termination-log"].includes(name),
    ),
  ),
  "make a device": call("mknodat", -100, "/tmp/sda", 0o60666, 0x800),
  "see other processes": file(() =>
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => pid > 10_000),
  ),
  // Namespaces and roots.
  "unshare a user namespace": call("unshare", CLONE.NEWUSER),
  "unshare mounts": call("unshare", CLONE.NEWNS),
  "unshare the network": call("unshare", CLONE.NEWNET),
  mount: call("mount", "none", "/tmp", "tmpfs", 0, 0),
  "remount /usr for writing": call("mount", "none", "/usr", "none", 32 | 4096, 0),
  chroot: call("chroot", "/tmp"),
  pivot_root: call("pivot_root", "/tmp", "/tmp"),
  "name the host": call("sethostname", "mine", 4),
  // Identities and rights.
  "become the proxy": call("setuid", 1337),
  "join the proxy's group": call("setgid", 1337),
  "mark traffic": call("setsockopt", stream, 1, 36, mark, 4),
  "force buffers": call("setsockopt", stream, 1, 33, one, 4),
  "be transparent": call("setsockopt", stream, 0, 19, one, 4),
  "raw socket": call("socket", AF_INET, SOCK.RAW, 1),
  "packet socket": call("socket", 17, SOCK.RAW, 768),
  vsock: call("socket", 40, SOCK.STREAM, 0),
  // The kernel's own.
  "add a key to the user's keyring": call("add_key", "user", "chainmail", "x", 1, -4),
  "look into the user's keyring": call("keyctl", 0, -4, 0),
  bpf: call("bpf", 0, Buffer.alloc(128), 128),
  io_uring: call("io_uring_setup", 4, Buffer.alloc(128)),
  "perf events": call("perf_event_open", Buffer.alloc(128), 0, -1, -1, 0),
  userfaultfd: call("userfaultfd", 0),
  "open by handle": call("open_by_handle_at", -100, Buffer.alloc(32), 0),
};
console.log(JSON.stringify(attempts));
