import { describe, expect, test } from "bun:test";
import { systemCallFilter } from "./seccomp.ts";

/** Runs the filter as the kernel would: what a call is answered with. */
function run(filter: Uint8Array, call: { arch: number; number: number; argument?: number }): string {
  const view = new DataView(filter.buffer, filter.byteOffset, filter.length);
  const data: Record<number, number> = { 0: call.number, 4: call.arch, 16: call.argument ?? 0 };
  let word = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const [code, yes, no, operand] = [view.getUint16(at * 8, true), view.getUint8(at * 8 + 2), view.getUint8(at * 8 + 3), view.getUint32(at * 8 + 4, true)];
    if (code === 0x20) word = data[operand] ?? Number.NaN;
    else if (code === 0x15) at += word === operand ? yes : no;
    else if (code === 0x35) at += word >= operand ? yes : no;
    else if (code === 0x45) at += (word & operand) !== 0 ? yes : no;
    else if (code === 0x06) return operand === 0x7fff0000 ? "allowed" : ({ 1: "EPERM", 38: "ENOSYS" }[operand & 0xffff] ?? String(operand));
  }
  return "fell off the end";
}

describe.each([
  ["x64", 0xc000003e, { keyctl: 250, add_key: 248, vhangup: 153, bpf: 321, clone: 56, unshare: 272, socket: 41, read: 0, execve: 59, mount: 165, setns: 308 }],
  [
    "arm64",
    0xc00000b7,
    { keyctl: 219, add_key: 217, vhangup: 58, bpf: 280, clone: 220, unshare: 97, socket: 198, read: 63, execve: 221, mount: 40, setns: 268 },
  ],
] as const)("on %s", (arch, audit, numbers) => {
  const filter = systemCallFilter(arch);
  const of = (number: number, argument = 0) => run(filter, { arch: audit, number, argument });

  test("what reaches beyond a container is refused, the rest passes", () => {
    for (const call of ["keyctl", "add_key", "vhangup", "bpf"] as const) expect([call, of(numbers[call])]).toEqual([call, "EPERM"]);
    for (const call of ["read", "execve", "mount", "setns"] as const) expect([call, of(numbers[call])]).toEqual([call, "allowed"]);
    expect(of(435)).toBe("ENOSYS");
  });

  test("by arguments: user namespaces and vsock", () => {
    expect([of(numbers.unshare, 0x10000000), of(numbers.clone, 0x10000000 | 17), of(numbers.unshare, 0x20000), of(numbers.clone, 17)]).toEqual([
      "EPERM",
      "EPERM",
      "allowed",
      "allowed",
    ]);
    expect([of(numbers.socket, 40), of(numbers.socket, 2), of(numbers.socket, 16)]).toEqual(["EPERM", "allowed", "allowed"]);
  });

  test("other architectures' numbers are none", () => {
    expect(run(filter, { arch: 0x40000003, number: numbers.read })).toBe("ENOSYS");
    if (arch === "x64") expect(of(0x40000000 | numbers.read)).toBe("ENOSYS");
  });
});

test("an unknown architecture is an error, not an open door", () => expect(() => systemCallFilter("mips")).toThrow("not known"));
