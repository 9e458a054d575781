import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChainmailError } from "../../../base/index.ts";
import { entry, tar, type TarItem } from "../testing/tar-writer.ts";
import { StreamSource } from "./byte-source.ts";
import { readTar } from "./tar-reader.ts";

async function read(archive: Uint8Array, cuts: number[] = []): Promise<Record<string, unknown>[]> {
  async function* pieces() {
    let start = 0;
    for (const cut of [...cuts.filter((at) => at < archive.length).sort((a, b) => a - b), archive.length]) {
      yield archive.subarray(start, cut);
      start = cut;
    }
  }
  const entries: Record<string, unknown>[] = [];
  for await (const { name, type, mode, uid, gid, size, mtime, linkName, content } of readTar(new StreamSource(pieces()))) {
    const parts: Uint8Array[] = [];
    for await (const piece of content()) parts.push(piece);
    entries.push({ name, type, mode, uid, gid, size, mtime, linkName, content: Buffer.concat(parts).toString() });
  }
  return entries;
}

const long = `${"deep/".repeat(40)}file-with-a-long-name`;

describe("tar reader", () => {
  const items: TarItem[] = [
    { name: "bin/", type: "5", mode: 0o755 },
    { name: "bin/app", content: "#!/bin/sh\n", mode: 0o4755, uid: 1000, gid: 7, mtime: 1_600_000_000 },
    { name: "bin/link", type: "2", linkName: "app" },
    { name: "bin/hard", type: "1", linkName: "bin/app" },
    { name: long, content: "x".repeat(1500), pax: { mtime: "1700000001.75", uid: "3000000" } },
    { name: "dev/null", type: "3" },
    { name: "empty" },
  ];
  const expected = [
    { name: "bin/", type: "folder", mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 1_700_000_000, linkName: "", content: "" },
    { name: "bin/app", type: "file", mode: 0o4755, uid: 1000, gid: 7, size: 10, mtime: 1_600_000_000, linkName: "", content: "#!/bin/sh\n" },
    { name: "bin/link", type: "symlink", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_700_000_000, linkName: "app", content: "" },
    { name: "bin/hard", type: "link", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_700_000_000, linkName: "bin/app", content: "" },
    { name: long, type: "file", mode: 0o644, uid: 3_000_000, gid: 0, size: 1500, mtime: 1_700_000_001, linkName: "", content: "x".repeat(1500) },
    { name: "dev/null", type: "device", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_700_000_000, linkName: "", content: "" },
    { name: "empty", type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_700_000_000, linkName: "", content: "" },
  ];

  test("reads what writers write, however the stream is cut", async () => {
    const archive = tar(items);
    expect(await read(archive)).toEqual(expected);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: archive.length }), { maxLength: 9 }), async (cuts) =>
        expect(await read(archive, cuts)).toEqual(expected),
      ),
      { numRuns: 30 },
    );
  });

  test("GNU's long names and binary numbers", async () => {
    const big = entry({ name: "big", content: "b" }, "0");
    big.fill(0, 108, 116);
    big.writeUInt8(0x80, 108);
    big.writeUInt32BE(2_097_152, 112);
    big.write("        ", 148, "latin1");
    big.write(
      `${big
        .subarray(0, 512)
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
      "latin1",
    );
    const archive = Buffer.concat([entry({ name: "././@LongLink", content: `${long}\0` }, "L"), entry({ name: long.slice(0, 99), content: "c" }, "0"), big]);
    expect(await read(archive)).toMatchObject([
      { name: long, content: "c" },
      { name: "big", uid: 2_097_152 },
    ]);
  });

  test("agrees with the machine's tar", async () => {
    const made = Bun.spawnSync(["tar", "--format=pax", "-C", "/usr/include/linux", "-cf", "-", "netfilter"], { stdout: "pipe" });
    if (!made.success) return void console.log("SKIPPED: no tar, or no headers here");
    const listed = Bun.spawnSync(["tar", "-tf", "-"], { stdin: made.stdout, stdout: "pipe" }).stdout.toString().trim().split("\n");
    expect((await read(made.stdout)).map(({ name }) => name)).toEqual(listed);
  });

  test.each([
    ["a wrong checksum", () => tar(items).fill(1, 0, 1), "checksum"],
    ["a cut in a file", () => tar(items).subarray(0, 1600), "middle of a file"],
    ["a cut in a header", () => tar(items).subarray(0, 700), "middle of a file"],
    ["a sparse file", () => tar([{ name: "s", type: "S" }]), "sparse"],
    ["a sparse file of pax", () => tar([{ name: "s", pax: { "GNU.sparse.major": "1" } }]), "sparse"],
    ["a pax record without end", () => Buffer.concat([entry({ name: "p", content: "999 path=x\n" }, "x"), tar([{ name: "a" }])]), "malformed"],
    ["a size that is too long", () => tar([{ name: "a", pax: { size: "99999999999999999999" } }]), "out of range"],
    ["a path without end", () => tar([{ name: "a", pax: { path: "a".repeat(5000) } }]), "longer than"],
    ["an unknown type", () => Buffer.concat([entry({ name: "u" }, "q")]), "unknown type"],
  ])("refuses %s", async (_what, archive, message) => {
    await expect(read(archive())).rejects.toThrow(message);
  });

  test("garbage never does worse than an error of its own", async () => {
    const archive = tar(items);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), async (changes) => {
        const damaged = Buffer.from(archive);
        for (const [at, byte] of changes) damaged[at] = byte;
        // Keep the checksum right, so that more than the checksum is tried.
        damaged.write("        ", 148, "latin1");
        damaged.write(
          `${damaged
            .subarray(0, 512)
            .reduce((sum, byte) => sum + byte, 0)
            .toString(8)
            .padStart(6, "0")}\0 `,
          148,
          "latin1",
        );
        await read(damaged).catch((error: unknown) => expect(error).toBeInstanceOf(ChainmailError));
      }),
      { numRuns: 100 },
    );
  });
});
