import { readdirSync, readFileSync } from "node:fs";
import { sep } from "node:path";

/**
 * Names of the folders below `roots` that running containers have mounted, in whatever mount namespace: deleting one would
 * take their files away. Only processes that this user may look at count, and no other user's have these mounted.
 */
export function rootsInUse(roots: string): Set<string> {
  const used = new Set<string>();
  const seen = new Set<string>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const text = readText(`/proc/${pid}/mountinfo`);
    if (seen.has(text)) continue;
    seen.add(text);
    for (const [, path = ""] of text.matchAll(/[, ]lowerdir=((?:\\.|[^,:\s])+)/g)) {
      // The kernel writes blanks and backslashes in octal, and overlay's own escapes before that.
      const plain = path.replace(/\\(\d{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))).replace(/\\(.)/g, "$1");
      if (plain.startsWith(roots + sep)) used.add(plain.slice(roots.length + 1).split(sep)[0] ?? "");
    }
  }
  return used;
}

/** "" for a process that has ended, or another user's. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
