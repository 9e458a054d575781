import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findUser } from "./users.ts";

const base = mkdtempSync(join(tmpdir(), "users-"));
afterAll(() => rmSync(base, { recursive: true }));
const root = join(base, "image");
mkdirSync(join(root, "etc"), { recursive: true });
writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\nbad:x:-1:0::/\n# 5:x:5:5\nodd:x:7:x::\n\n");
writeFileSync(join(root, "etc/group"), "root:x:0:\nweb:x:102:\nlogs:x:200:other,web\nempty\n");

test.each([
  ["", { uid: 0, gid: 0, groups: [], home: "/root" }],
  ["root", { uid: 0, gid: 0, groups: [], home: "/root" }],
  ["web", { uid: 101, gid: 102, groups: [200], home: "/srv" }],
  ["101", { uid: 101, gid: 102, groups: [200], home: "/srv" }],
  ["web:logs", { uid: 101, gid: 200, groups: [], home: "/srv" }],
  ["web:7", { uid: 101, gid: 7, groups: [], home: "/srv" }],
  ["1000", { uid: 1000, gid: 0, groups: [], home: "/" }],
  ["1000:1000", { uid: 1000, gid: 1000, groups: [], home: "/" }],
  ["odd", { uid: 7, gid: 0, groups: [], home: "/" }],
])("%p", (user, expected) => {
  expect(findUser(root, user)).toEqual(expected);
});

test.each(["nosuch", "web:nosuch", "-1", "bad", "4294967295", "1.5", "0x10"])("%p is nobody", (user) => {
  expect(() => findUser(root, user)).toThrow("no matching entries");
});

test("without files a number is enough, and links lead nowhere outside", () => {
  const empty = join(base, "empty");
  mkdirSync(join(empty, "etc"), { recursive: true });
  symlinkSync("../../image/etc/passwd", join(empty, "etc/passwd"));
  expect(findUser(empty, "101")).toEqual({ uid: 101, gid: 0, groups: [], home: "/" });
  expect(() => findUser(empty, "web")).toThrow();
});
