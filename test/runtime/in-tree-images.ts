// Run by in-host.ts, as in-tree.ts: containers on the files of an image.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { rootsInUse } from "../../src/cluster/images/store/roots-in-use.ts";
import type { ContainerSpec } from "../../src/cluster/runtime/index.ts";
import { failure, realUids, ROOT_MODE, startShared, STATE_DIR, type TestNode, until } from "./harness.ts";
import { makeImageRoot } from "./image-root.ts";

let node: TestNode;
beforeAll(async () => ({ node } = await startShared()));
afterAll(() => node.node.stop());

describe("images", () => {
  let image = "";
  let roots = 0;
  beforeAll(() => {
    image = makeImageRoot(`${STATE_DIR}/image, with: signs`);
  });
  const rootOf = (folder = image) => {
    const writable = `${STATE_DIR}/writable/${++roots}`;
    mkdirSync(writable, { recursive: true });
    return { folder, writable };
  };
  const env = { PATH: "/bin" };
  const inImage = (script: string, more: Partial<ContainerSpec> = {}) => node.run("a", ["sh", "-c", script], { root: rootOf(), env, ...more });

  test("run on their own files, and on nothing of the machine's", async () => {
    const { stdout } = await inImage("cat /marker; ls -d /usr/bin/env /opt/chainmail/bun /etc/shadow /bin/bash; ls /proc | cat > /dev/null; cat /etc/hosts");
    expect(stdout).toBe("image/opt/chainmail/bun\n127.0.0.1 localhost");
  });

  test("are never changed: what containers write is theirs alone", async () => {
    const script = "rm -r /data/inner; mkdir /data/inner; echo mine > /data/inner/own; echo x > /marker; echo y > /new; ls /data/inner; cat /marker";
    expect((await inImage(script, { uid: 0, gid: 0 })).stdout).toBe("own\nx");
    expect((await inImage("cat /marker /data/inner/file; ls /new", { uid: 0, gid: 0 })).stdout).toBe("imagefrom the image");
    expect([readFileSync(`${image}/marker`, "utf8"), existsSync(`${image}/new`)]).toEqual(["image", false]);
  });

  test("can be read-only", async () => {
    expect(
      (await inImage("(echo x > /new) 2>/dev/null || echo no; echo y > /dev/shm/z && cat /dev/shm/z", { uid: 0, gid: 0, readOnlyRoot: true })).stdout,
    ).toBe("no\ny");
  });

  test("are entered by exec, with terminal or without, under their uid and groups", async () => {
    const container = await node.start("a", ["sleep", "39"], { root: rootOf(), env, uid: 1234, gid: 1235, groups: [1300], workingDir: "/home/app" });
    const { stdout } = await node.exec(container.id, ["sh", "-c", "cat /marker; echo; pwd >&2; id -u; id -G"]);
    expect(stdout).toBe(realUids ? "image\n1234\n1235 1300\n" : "image\n0\n0\n");
    expect((await node.exec(container.id, ["stat", "-c", "%a", "/marker"], { tty: true })).stdout).toContain("644\r\n");
    container.kill("SIGKILL");
  });

  test("get no privileged process to load or to obey what they bring", async () => {
    const { stderr } = await node.run("a", ["true"], { root: rootOf(), env }).catch(() => ({ stderr: "" }));
    expect(stderr).toContain('"true": executable file not found');
    // The loader complains once: of the image's own program.
    expect((await inImage("exit 0")).stderr.match(/planted\.so/g)?.length).toBe(1);
  });

  test("say so where variables need a program that they lack", async () => {
    const { stdout, stderr } = await inImage("echo $GOOD", { env: { ...env, GOOD: "yes", "dotted.name": "x" } });
    expect([stdout, stderr.includes("no env program, which variables of such names need: dotted.name")]).toEqual(["yes", true]);
  });

  test("with a link for /proc or /dev are refused", async () => {
    for (const name of ["proc", "dev", "sys"]) {
      const folder = `${STATE_DIR}/odd-${name}`;
      mkdirSync(folder, { recursive: true });
      symlinkSync("/etc", `${folder}/${name}`);
      expect(await failure(node.start("a", ["true"], { root: rootOf(folder), env }))).toContain(`the image's /${name} is no folder`);
    }
    expect(await failure(node.start("a", ["true"], { root: rootOf(`${STATE_DIR}/nosuch`), env }))).toMatch(/no such file|ENOENT|could not be copied/);
  });

  test("can be found in use while a container runs", async () => {
    const roots = `${STATE_DIR}/roots`;
    mkdirSync(`${roots}/one`, { recursive: true });
    const container = await node.start("a", ["sleep", "40"], { root: rootOf(makeImageRoot(`${roots}/two`)), env });
    expect([...rootsInUse(roots)]).toEqual(ROOT_MODE === "copy" ? [] : ["two"]);
    container.kill("SIGKILL");
    await container.exited;
    await until(() => rootsInUse(roots).size === 0);
  });
});
