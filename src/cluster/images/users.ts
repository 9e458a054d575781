import { readFileSync, statSync } from "node:fs";
import { ChainmailError } from "../../base/index.ts";
import { fileInRoot } from "./store/in-root.ts";

export interface ImageUser {
  uid: number;
  gid: number;
  /** Further groups that list the user. */
  groups: number[];
  home: string;
}

/** Files of users are short; one that is not is no such file. */
const MAX_FILE = 1 << 20;

/**
 * Who `user` of an image's configuration is, by /etc/passwd and /etc/group below `root`: `name`, `uid`, `name:group`,
 * `uid:gid`, or empty for root. Throws IMAGE_USER_UNKNOWN for a name that is not there; a number needs no entry.
 */
export function findUser(root: string, user: string): ImageUser {
  const [name = "", group] = user.split(":");
  const wanted = name === "" ? "0" : name;
  const users = table(root, "passwd");
  // A name goes before a number, as in runc; no name is a number in practice.
  const entry = users.find((fields) => fields[0] === wanted) ?? users.find((fields) => fields[2] === wanted);
  const uid = entry ? Number(entry[2]) : idOf(wanted);
  if (uid === undefined) throw new ChainmailError("IMAGE_USER_UNKNOWN", `unable to find user ${wanted}: no matching entries in the image's /etc/passwd`);
  const groups = table(root, "group");
  const own = entry?.[0];
  return {
    uid,
    gid: group ? groupId(groups, group) : (idOf(entry?.[3] ?? "") ?? 0),
    groups: own === undefined || group ? [] : groups.filter((fields) => (fields[3] ?? "").split(",").includes(own)).map((fields) => Number(fields[2])),
    home: entry?.[5] || "/",
  };
}

function groupId(groups: string[][], group: string): number {
  const entry = groups.find((fields) => fields[0] === group);
  const gid = entry ? Number(entry[2]) : idOf(group);
  if (gid === undefined) throw new ChainmailError("IMAGE_USER_UNKNOWN", `unable to find group ${group}: no matching entries in the image's /etc/group`);
  return gid;
}

/** A uid_t; the kernel reserves the last. */
function idOf(text: string): number | undefined {
  const id = Number(text);
  return /^\d+$/.test(text) && id < 2 ** 32 - 1 ? id : undefined;
}

/** Lines of `name:password:id:…` with a sound id. */
function table(root: string, name: "passwd" | "group"): string[][] {
  const path = fileInRoot(root, ["etc", name]);
  if (path === undefined || statSync(path).size > MAX_FILE) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => idOf(fields[2] ?? "") !== undefined);
}
