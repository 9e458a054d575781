import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Programs of the machine that the image has too, under another name each: what runs is known to be the image's. */
const PROGRAMS = ["sh", "cat", "ls", "rm", "mkdir", "id", "touch", "sleep", "stat"];

/** A root file system as an image would bring it: a few programs with their libraries, users, and things that mislead. */
export function makeImageRoot(folder: string): string {
  for (const path of ["bin", "etc", "data/inner", "home/app", "tmp"]) mkdirSync(join(folder, path), { recursive: true });
  chmodSync(join(folder, "tmp"), 0o1777);
  for (const name of PROGRAMS) install(folder, name);
  writeFileSync(join(folder, "etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1234:1235::/home/app:/bin/sh\n");
  writeFileSync(join(folder, "etc/group"), "root:x:0:\napp:x:1235:\nextra:x:1300:app\n");
  writeFileSync(join(folder, "data/inner/file"), "from the image");
  writeFileSync(join(folder, "marker"), "image");
  // Obeyed by whoever starts a program in this root.
  writeFileSync(join(folder, "etc/ld.so.preload"), "/planted.so\n");
  // As distributions have it.
  symlinkSync("../run/resolve/stub.conf", join(folder, "etc/resolv.conf"));
  return folder;
}

function install(root: string, name: string): void {
  const path = realpathSync(Bun.which(name, { PATH: "/usr/bin:/bin" }) ?? "");
  copyFileSync(path, join(root, "bin", name));
  for (const library of librariesOf(path)) {
    const target = join(root, library);
    mkdirSync(dirname(target), { recursive: true });
    if (!existsSync(target)) copyFileSync(realpathSync(library), target);
    chmodSync(target, statSync(library).mode);
  }
}

/** Paths as the loader finds them: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader itself. */
function librariesOf(path: string): string[] {
  const { stdout } = Bun.spawnSync(["ldd", path]);
  return [...stdout.toString().matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)].flatMap((match) => match[1] ?? []).filter((library) => basename(library) !== "");
}
