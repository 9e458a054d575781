import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ChainmailError } from "../../../base/index.ts";
import { StreamSource } from "../archive/byte-source.ts";
import { readTar } from "../archive/tar-reader.ts";
import { tar, type TarItem } from "../testing/tar-writer.ts";
import { assembleRoot, type Layer } from "./assemble-root.ts";
import { climbsOut, fileInRoot, folderInRoot } from "./in-root.ts";
import { removeTree } from "./remove-tree.ts";
import { unpackLayer } from "./unpack-layer.ts";

const owners = process.getuid?.() === 0;
const base = mkdtempSync(join(tmpdir(), "chainmail-layers-"));
afterAll(() => removeTree(base));
let folders = 0;
function folder(): string {
  const path = join(base, String(++folders));
  mkdirSync(path);
  return path;
}

async function layer(items: TarItem[], limits = { entries: 1000, bytes: 1 << 20 }): Promise<Layer & { skipped: number }> {
  const into = folder();
  const { skipped, ...notes } = await unpackLayer(
    readTar(new StreamSource(new Response(Uint8Array.from(tar(items))).body as ReadableStream<Uint8Array>)),
    into,
    { owners, limits },
  );
  return { folder: into, notes, skipped };
}

async function root(...layers: TarItem[][]): Promise<string> {
  const path = folder();
  const unpacked: Layer[] = [];
  for (const items of layers) unpacked.push(await layer(items));
  assembleRoot(unpacked, path, { owners });
  return path;
}

function tree(path: string, name = ""): string[] {
  return readdirSync(join(path, name))
    .sort()
    .flatMap((each) => {
      const inner = name ? `${name}/${each}` : each;
      const stat = lstatSync(join(path, inner));
      if (stat.isDirectory()) return [`${inner}/`, ...tree(path, inner)];
      return [stat.isSymbolicLink() ? `${inner} -> ${readlinkSync(join(path, inner))}` : `${inner} = ${readFileSync(join(path, inner), "utf8")}`];
    });
}

describe("layers", () => {
  test("files, modes, times, links; whiteouts and opaque folders hide what is below", async () => {
    const path = await root(
      [
        { name: "./", type: "5", mode: 0o755 },
        { name: "etc/", type: "5" },
        { name: "etc/passwd", content: "root", mode: 0o600, mtime: 1_500_000_000 },
        { name: "etc/old", content: "old" },
        { name: "var/cache/a", content: "a" },
        { name: "var/cache/deep/b", content: "b" },
        { name: "bin", type: "2", linkName: "usr/bin" },
        { name: "usr/bin/sh", content: "sh", mode: 0o6755 },
        { name: "usr/bin/bash", type: "1", linkName: "usr/bin/sh" },
      ],
      [
        { name: "etc/.wh.old" },
        { name: "var/cache/.wh..wh..opq" },
        { name: "var/cache/new", content: "new" },
        // The folder is a link below: what is in it goes where that leads.
        { name: "bin/tool", content: "tool" },
        // A hard link to a file of a lower layer.
        { name: "usr/bin/dash", type: "1", linkName: "usr/bin/sh" },
        { name: "tmp/", type: "5", mode: 0o1777 },
        { name: "sealed/", type: "5", mode: 0o555 },
        { name: "sealed/file", content: "s" },
      ],
      [
        { name: "sealed/more", content: "m" },
        { name: "etc/passwd/", type: "5" },
        { name: "etc/passwd/d", content: "d" },
      ],
    );
    expect(tree(path)).toEqual([
      "bin -> usr/bin",
      "etc/",
      "etc/passwd/",
      "etc/passwd/d = d",
      "sealed/",
      "sealed/file = s",
      "sealed/more = m",
      "tmp/",
      "usr/",
      "usr/bin/",
      "usr/bin/bash = sh",
      "usr/bin/dash = sh",
      "usr/bin/sh = sh",
      "usr/bin/tool = tool",
      "var/",
      "var/cache/",
      "var/cache/new = new",
    ]);
    expect(statSync(join(path, "usr/bin/sh")).ino).toBe(statSync(join(path, "usr/bin/dash")).ino);
    // Neither setuid nor setgid on this machine's disk.
    expect(statSync(join(path, "usr/bin/sh")).mode & 0o7777).toBe(0o755);
    expect(statSync(join(path, "tmp")).mode & 0o7777).toBe(0o1777);
    expect(statSync(join(path, "sealed")).mode & 0o7777).toBe(0o555);
  });

  test("times, and owners as root", async () => {
    const path = await root([
      { name: "a", content: "a", uid: 1000, gid: 7, mtime: 1_500_000_000 },
      { name: "l", type: "2", linkName: "a", uid: 5 },
      { name: "d/", type: "5", uid: 6, mtime: 1_400_000_000 },
    ]);
    const stat = (name: string) => lstatSync(join(path, name));
    expect([stat("a").mtimeMs, stat("d").mtimeMs]).toEqual([1_500_000_000_000, 1_400_000_000_000]);
    if (owners) expect([stat("a").uid, stat("a").gid, stat("l").uid, stat("d").uid]).toEqual([1000, 7, 5, 6]);
  });

  test("a layer's own links are followed inside the image only", async () => {
    const path = await root([
      { name: "abs", type: "2", linkName: "/data" },
      { name: "abs/one", content: "1" },
      { name: "data/up", type: "2", linkName: "../data" },
      { name: "data/up/two", content: "2" },
    ]);
    expect(tree(path)).toEqual(["abs -> /data", "data/", "data/one = 1", "data/two = 2", "data/up -> ../data"]);
    expect(existsSync("/data/one")).toBe(false);
  });

  test("devices, pipes and names that are no text are left out, and counted", async () => {
    const made = await layer([
      { name: "dev/sda", type: "4" },
      { name: "dev/tty", type: "3" },
      { name: "run/pipe", type: "6" },
      { name: "bad\uFFFD", content: "x" },
      { name: ".wh..wh.plnk", content: "" },
      { name: "ok", content: "1" },
    ]);
    expect([made.skipped, tree(made.folder)]).toEqual([4, ["ok = 1"]]);
  });

  test.each<[string, TarItem[]]>([
    ["a path that climbs", [{ name: "../evil", content: "x" }]],
    ["a path that climbs later", [{ name: "a/../../evil", content: "x" }]],
    ["a link that climbs", [{ name: "a/link", type: "2", linkName: "../../etc" }]],
    ["a hard link that climbs", [{ name: "link", type: "1", linkName: "../../etc/passwd" }]],
    ["a whiteout that climbs", [{ name: "a/.wh..." }]],
    ["a whiteout of the folder itself", [{ name: "a/.wh.." }]],
    [
      "a file as a folder",
      [
        { name: "a", content: "x" },
        { name: "a/b", content: "x" },
      ],
    ],
    [
      "a loop of links",
      [
        { name: "a", type: "2", linkName: "b" },
        { name: "b", type: "2", linkName: "a" },
        { name: "a/x", content: "x" },
      ],
    ],
    [
      "a hard link to a folder",
      [
        { name: "d/", type: "5" },
        { name: "l", type: "1", linkName: "d" },
      ],
    ],
  ])("%s is refused", async (what, items) => {
    const error = await layer(items).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect([what, error instanceof ChainmailError && error.code]).toEqual([what, "UNSAFE_PATH"]);
  });

  test("an absolute path, or a link to one, counts from the image's root", async () => {
    expect(
      tree(
        await root([
          { name: "/etc/x", content: "x" },
          { name: "l", type: "2", linkName: "/etc/x" },
        ]),
      ),
    ).toEqual(["etc/", "etc/x = x", "l -> /etc/x"]);
  });

  test("limits of files and of bytes hold", async () => {
    await expect(
      layer(
        Array.from({ length: 11 }, (_, i) => ({ name: String(i) })),
        { entries: 10, bytes: 100 },
      ),
    ).rejects.toThrow("more than 10 files");
    await expect(
      layer(
        [
          { name: "a", content: "x".repeat(60) },
          { name: "b", content: "x".repeat(60) },
        ],
        { entries: 10, bytes: 100 },
      ),
    ).rejects.toThrow("MiB");
  });

  test("a folder whose place a link takes is not looked for through the link", async () => {
    const outside = folder();
    mkdirSync(join(outside, "sub"), { mode: 0o700 });
    const swapped: TarItem[][] = [
      [
        { name: "d/sub/", type: "5", mode: 0o777 },
        { name: "d", type: "2", linkName: outside },
      ],
      [
        { name: "s", type: "2", linkName: outside },
        { name: "lib/", type: "5" },
        { name: "l", type: "2", linkName: "lib" },
      ],
    ];
    for (const items of swapped) await layer(items);
    await root(
      swapped[1] ?? [],
      [
        { name: "d", type: "1", linkName: "s" },
        { name: "d/sub/", type: "5", mode: 0o777 },
      ],
      [
        { name: "l/x/sub/", type: "5", mode: 0o777 },
        { name: "lib/x", type: "2", linkName: outside },
      ],
    ).catch(() => {});
    expect(statSync(join(outside, "sub")).mode & 0o777).toBe(0o700);
  });

  test("a hard link to what no layer has is damage", async () => {
    await expect(root([{ name: "l", type: "1", linkName: "nosuch" }])).rejects.toThrow("which is not there");
  });

  test("hostile names, in any order, write nothing outside", async () => {
    const part = fc.constantFrom("a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", "/");
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    // Something of the machine's that a link may lead to, with names as in the image.
    const outside = folder();
    mkdirSync(join(outside, "a/b"), { recursive: true });
    mkdirSync(join(outside, "b/a"), { recursive: true });
    for (const path of ["a/b/b", "b/b"]) writeFileSync(join(outside, path), "mine", { mode: 0o600 });
    const look = () =>
      tree(outside).map((path) => {
        const { mode, uid, mtimeMs, nlink } = lstatSync(join(outside, path.split(" ")[0] ?? ""));
        return [path, mode, uid, mtimeMs, nlink];
      });
    const seen = look();
    const linkName = fc.oneof(name, fc.constantFrom(outside, `${outside}/a`, `${outside}/b/b`, "/a", "b"));
    const item = fc.record({
      name,
      type: fc.constantFrom("0", "1", "2", "5"),
      linkName,
      content: fc.constant("x"),
      mode: fc.constantFrom(0o777, 0o555),
      uid: fc.constant(7),
    }) as fc.Arbitrary<TarItem>;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(item, { maxLength: 6 }), { maxLength: 3 }), async (layers) => {
        const before = readdirSync(base).length;
        await root(...layers).catch((error: unknown) => expect(error).toBeInstanceOf(ChainmailError));
        expect(readdirSync(base).length - before).toBeLessThanOrEqual(layers.length + 1);
        expect(look()).toEqual(seen);
        expect(["a", "b"].some((each) => existsSync(join(base, each)) || existsSync(`/${each}`))).toBe(false);
      }),
      { numRuns: 150 },
    );
  });
});

describe("paths in a root", () => {
  test("links lead nowhere outside", () => {
    const path = folder();
    mkdirSync(join(path, "etc"));
    writeFileSync(join(path, "etc/passwd"), "inside");
    symlinkSync("../../../../../../etc", join(path, "up"));
    symlinkSync("/etc/passwd", join(path, "file"));
    symlinkSync("loop", join(path, "loop"));
    expect(folderInRoot(path, ["up"])).toBe(join(path, "etc"));
    expect(fileInRoot(path, ["file"])).toBe(join(path, "etc/passwd"));
    expect(fileInRoot(path, ["up", "passwd"])).toBe(join(path, "etc/passwd"));
    expect(fileInRoot(path, ["etc"])).toBeUndefined();
    expect(fileInRoot(path, ["loop"])).toBeUndefined();
    expect(folderInRoot(path, ["etc", "passwd"])).toBeUndefined();
  });

  test.each([
    ["a/b", "../c", false],
    ["a/b", "../../c", true],
    ["l", "..", true],
    ["a/b/c", "../../x", false],
    ["a", "/../..", false],
    ["a/b", "x/../../..", true],
  ])("%s -> %s", (name, target, climbs) => {
    expect(climbsOut(name.split("/"), target)).toBe(climbs);
  });

  test("a tree is removed whatever its folders forbid", () => {
    const path = folder();
    mkdirSync(join(path, "x/y/z"), { recursive: true });
    writeFileSync(join(path, "x/y/z/f"), "");
    for (const each of ["x/y/z", "x/y", "x"]) chmodSync(join(path, each), 0);
    removeTree(join(path, "x"));
    expect(existsSync(join(path, "x"))).toBe(false);
  });
});
