import { describe, expect, test } from "bun:test";
import { parseIdMap, privilegeArguments, type IdMaps } from "./privileges.ts";

const ALL = parseIdMap("         0          0 4294967295\n");
const ONE = parseIdMap("         0       1000          1\n");
const root: IdMaps = { uids: ALL, gids: ALL, setgroups: true };
const rootless: IdMaps = { uids: ONE, gids: ONE, setgroups: false };

describe("privileges", () => {
  test("as root the uid is real and no capability is left", () => {
    expect(privilegeArguments({ uid: 1337, gid: 1337, capabilities: "none" }, root)).toEqual([
      "--reuid=1337",
      "--regid=1337",
      "--clear-groups",
      "--bounding-set=-all",
      "--inh-caps=-all",
      "--ambient-caps=-all",
      "--no-new-privs",
    ]);
  });

  test("NET_ADMIN is ambient, so that it survives the exec under any uid", () => {
    expect(privilegeArguments({ uid: 0, gid: 0, capabilities: "NET_ADMIN" }, root)).toContain("--ambient-caps=-all,+net_admin");
  });

  test("rootless, the one mapped uid stays, since no other exists", () => {
    const args = privilegeArguments({ uid: 1337, gid: 1337, capabilities: "none" }, rootless);
    expect(args).toEqual(["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]);
  });

  test("with subordinate ids the uid is real again", () => {
    const ids = parseIdMap("0 1000 1\n1 100000 65536\n");
    expect(privilegeArguments({ uid: 1337, gid: 1337, capabilities: "none" }, { uids: ids, gids: ids, setgroups: true })[0]).toBe("--reuid=1337");
  });
});
