import { ptr } from "bun:ffi";
import { ChainmailError } from "../base/index.ts";
import { check, libc } from "./libc.ts";

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;

/** AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 */
const ARCHITECTURES: Record<string, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** By name: the numbers on x86-64 and on arm64; undefined where there is no such call. */
const CALLS = {
  acct: [163, 89],
  add_key: [248, 217],
  adjtimex: [159, 171],
  bpf: [321, 280],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  delete_module: [176, 106],
  fanotify_init: [300, 262],
  finit_module: [313, 273],
  init_module: [175, 105],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  ioperm: [173, undefined],
  iopl: [172, undefined],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  open_by_handle_at: [304, 265],
  perf_event_open: [298, 241],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  reboot: [169, 142],
  request_key: [249, 218],
  settimeofday: [164, 170],
  swapoff: [168, 225],
  swapon: [167, 224],
  syslog: [103, 116],
  userfaultfd: [323, 282],
  vhangup: [153, 58],
} as const satisfies Record<string, readonly [number, number | undefined]>;

const CLONE = { x64: 56, arm64: 220 };
const UNSHARE = { x64: 272, arm64: 97 };
const SOCKET = { x64: 41, arm64: 198 };
const CLONE3 = 435;

const CLONE_NEWUSER = 0x10000000;
/** Sockets to the machine's hypervisor and its neighbours: no network namespace holds them. */
const AF_VSOCK = 40;
const X32_BIT = 0x40000000;
const EPERM = 1;
const ENOSYS = 38;

const ALLOW = 0x7fff0000;
const errno = (code: number) => 0x00050000 | code;

/** Opcodes of classic BPF: load a word of struct seccomp_data, jumps with an operand, return. */
const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_SET = 0x45;
const RETURN = 0x06;
const OFFSET = { number: 0, architecture: 4, firstArgument: 16 };

/**
 * From now on, for good, the calling thread and all that it starts is without the system calls that reach beyond a
 * container and that no program in one needs: keyrings, which no namespace parts as root; kernel modules, clocks, bpf,
 * io_uring; new user namespaces, in which everybody is root. Needs CAP_SYS_ADMIN or no-new-privs. Throws SystemError.
 */
export function restrictSystemCalls(): void {
  const program = systemCallFilter(process.arch);
  // struct sock_fprog {u16 length; struct sock_filter *filter}
  const header = new BigUint64Array([BigInt(program.length / 8), BigInt(ptr(program))]);
  check(libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0), "restrict system calls");
}

/** The filter as the kernel takes it: struct sock_filter {u16 code; u8 jump if true, jump if false; u32 operand}, each 8 bytes. */
export function systemCallFilter(arch: string): Uint8Array {
  if (arch !== "x64" && arch !== "arm64") throw new ChainmailError("ARCHITECTURE_UNKNOWN", `system calls of ${arch} are not known here`);
  const denied = Object.values(CALLS).flatMap(([x64, arm64]) => (arch === "x64" ? x64 : (arm64 ?? [])));
  const checks: { number: number; to: "EPERM" | "ENOSYS" | "flags" | "domain" }[] = [
    ...denied.map((number) => ({ number, to: "EPERM" as const })),
    // Its flags lie in memory, where no filter can look: C libraries fall back to clone.
    { number: CLONE3, to: "ENOSYS" },
    { number: CLONE[arch], to: "flags" },
    { number: UNSHARE[arch], to: "flags" },
    { number: SOCKET[arch], to: "domain" },
  ];
  // The checks are followed by one word for "allowed", then by where they lead to.
  const at = { flags: 1, domain: 3, allow: 0, EPERM: 5, ENOSYS: 6 };
  const after = (index: number, of: number, target: number) => of - index - 1 + target;
  const x32 = arch === "x64" ? 1 : 0;
  const count = 3 + x32 + checks.length;
  const program: [code: number, jumpTrue: number, jumpFalse: number, operand: number][] = [
    [LOAD, 0, 0, OFFSET.architecture],
    // Another architecture's numbers mean other calls.
    [IF_EQUAL, 0, after(1, count, at.ENOSYS), ARCHITECTURES[arch] ?? 0],
    [LOAD, 0, 0, OFFSET.number],
    ...(x32 ? [[IF_AT_LEAST, after(3, count, at.ENOSYS), 0, X32_BIT] as [number, number, number, number]] : []),
  ];
  for (const { number, to } of checks) program.push([IF_EQUAL, after(program.length, count, at[to]), 0, number]);
  program.push(
    [RETURN, 0, 0, ALLOW],
    [LOAD, 0, 0, OFFSET.firstArgument],
    [IF_SET, 2, 4, CLONE_NEWUSER],
    [LOAD, 0, 0, OFFSET.firstArgument],
    [IF_EQUAL, 0, 2, AF_VSOCK],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, errno(ENOSYS)],
    [RETURN, 0, 0, ALLOW],
  );
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand, index * 8 + 4);
  }
  return bytes;
}
