import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineImage, splitWords, type OwnImageOptions } from "./own-images.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "own-images-")));
afterAll(() => rmSync(base, { recursive: true }));
for (const folder of ["app/bin", "tools", "secret/keys", "checkout", "root"]) mkdirSync(join(base, folder), { recursive: true });
for (const program of ["app/bin/run", "tools/node"]) {
  writeFileSync(join(base, program), "#!/bin/sh\n");
  chmodSync(join(base, program), 0o755);
}
symlinkSync("/usr/bin/env", join(base, "tools/env-link"));

const around = { cwd: base, path: `${base}/tools:/usr/bin`, secret: [join(base, "secret")], readOnly: [join(base, "checkout")] };
const define = (options: Partial<OwnImageOptions>) => defineImage({ env: [], port: [], mount: [], writable: false, ...options }, around);

describe("images of programs", () => {
  test("a program on the path that pods do not see is shown to them", () => {
    expect(define({ exec: "node server.js", cwd: "app", env: ["A=b=c"], port: ["80", "53/udp"], user: "5:6" })).toEqual({
      config: {
        entrypoint: ["/opt/chainmail/exec/node", "server.js"],
        cmd: [],
        env: { PATH: expect.any(String), A: "b=c" },
        user: "5:6",
        workingDir: "/app",
        exposedPorts: ["80/tcp", "53/udp"],
      },
      mounts: [
        { hostPath: join(base, "app"), containerPath: "/app", writable: false },
        { hostPath: join(base, "tools/node"), containerPath: "/opt/chainmail/exec/node", writable: false },
      ],
    });
  });

  test("one of the system is called as it was written, one of the folder by its path in there", () => {
    expect(define({ exec: "env x" }).config.entrypoint).toEqual(["env", "x"]);
    expect(define({ exec: "/usr/bin/env x" })).toMatchObject({ config: { entrypoint: ["/usr/bin/env", "x"] }, mounts: [] });
    expect(define({ exec: "./bin/run x", cwd: "app" }).config.entrypoint).toEqual(["/app/bin/run", "x"]);
  });

  test("a folder as root: program and working folder are paths in there", () => {
    expect(define({ rootfs: "root", exec: "serve", cwd: "/srv" })).toMatchObject({
      config: { entrypoint: ["serve"], workingDir: "/srv" },
      folder: join(base, "root"),
      mounts: [],
    });
    expect(define({ rootfs: "root" }).config.entrypoint).toEqual([]);
  });

  test.each<[Partial<OwnImageOptions>, string]>([
    [{}, "neither program nor files"],
    [{ exec: "nosuch" }, "no program nosuch on the PATH"],
    [{ exec: "./nosuch", cwd: "app" }, "no program ./nosuch at that path"],
    [{ exec: "node", cwd: "nosuch" }, "does not exist"],
    [{ exec: "node", cwd: "tools/node" }, "is no folder"],
    [{ exec: "node", cwd: "secret/keys" }, "holds the clusters' keys"],
    [{ exec: "node", cwd: "." }, "holds the clusters' keys"],
    [{ rootfs: "/" }, "would show"],
    [{ exec: "node", mount: ["secret:/x"] }, "holds the clusters' keys"],
    [{ exec: "node", mount: ["app:x"] }, "is no mount"],
    [{ exec: "node", mount: ["app:/x:rx"] }, "is no mount"],
    [{ exec: "node", mount: ["app:/"] }, "is no mount"],
    [{ exec: "node", mount: ["checkout:/x:rw"] }, "Chainmail itself runs from"],
    [{ exec: "node", cwd: "checkout", writable: true }, "Chainmail itself runs from"],
    [{ exec: "node", env: ["=x"] }, "sets no variable"],
  ])("%j is refused", (options, message) => {
    expect(() => define(options)).toThrow(message);
  });
});

describe("command lines", () => {
  test.each<[string, string[]]>([
    ["node server.js", ["node", "server.js"]],
    ["  a   b\tc\n", ["a", "b", "c"]],
    ["sh -c 'echo \"$HOME\" | cat'", ["sh", "-c", 'echo "$HOME" | cat']],
    ['a "b c" d\\ e "f\\"g" "h\\i" \'\'', ["a", "b c", "d e", 'f"g', "h\\i", ""]],
    ["a'b'\"c\"d", ["abcd"]],
  ])("%p", (line, words) => {
    expect(splitWords(line)).toEqual(words);
    // The machine's shell is the judge.
    const shell = Bun.spawnSync(["sh", "-c", `printf '%s\\0' ${line.trim()}`]).stdout.toString();
    expect(shell.split("\0").slice(0, -1)).toEqual(words);
  });

  test.each(["", "a | b", "a && b", "a > b", "a $B", "a `b`", "a 'b", 'a "b', "a \\"])("%p is refused", (line) => {
    expect(() => splitWords(line)).toThrow();
  });
});
