// Run by in-host.ts inside the cluster's process tree. Each test starts what it needs; pods a, b and c are shared.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ExecProcess } from "../../src/cluster/runtime/index.ts";
import {
  BUN,
  failure,
  HOST_IP,
  LOOPBACK,
  NODE_IP,
  OUTSIDE,
  POD_PROGRAM,
  realUids,
  startShared,
  STATE_DIR,
  type Shared,
  type TestNode,
  until,
} from "./harness.ts";

let node: TestNode;
let ips: Shared["ips"];
let web: Shared["web"];

beforeAll(async () => ({ node, ips, web } = await startShared()));
afterAll(() => node.node.stop());

describe("services", () => {
  test("by address and by name, spread over the endpoints", async () => {
    const { stdout } = await node.program("a", [
      "get",
      ...Array<string>(12).fill("http://10.96.0.20/"),
      "http://web/",
      "http://web.default.svc.cluster.local/",
    ]);
    const lines = stdout.split("\n");
    expect(new Set(lines)).toEqual(new Set([`b ${ips.a}`, `c ${ips.a}`]));
    expect(lines).toHaveLength(14);
  });

  test("with ClientIP affinity one client stays with one endpoint", async () => {
    const { stdout } = await node.program("a", ["get", ...Array<string>(6).fill("http://sticky/")]);
    expect(new Set(stdout.split("\n")).size).toBe(1);
  });

  test("without endpoints, or unknown, are refused at once", async () => {
    const { stdout } = await node.program("a", ["get", "http://10.96.0.22/", "http://10.96.0.99/", `http://10.244.9.9/`]);
    expect(stdout).toBe("ECONNREFUSED\nECONNREFUSED\nENETUNREACH");
  });

  test("a pod reaches itself through its service", async () => {
    expect((await node.program("b", ["get", "http://only-b/"])).stdout).toBe(`b ${NODE_IP}`);
  });

  test("a live connection survives that its endpoint is taken out", async () => {
    await node.service("moving", "10.96.0.24", [ips.b]);
    const spec = node.spec("a", [BUN, POD_PROGRAM, "late", "10.96.0.24", "80", "150"]);
    const late = await node.node.runtime.startContainer("a", spec);
    await until(() => readFileSync(spec.logPath, "utf8").includes("connected"));
    await node.service("moving", "10.96.0.24", [ips.c]);
    expect((await node.program("a", ["get", "http://moving/"])).stdout).toBe(`c ${ips.a}`);
    await late.exited;
    expect(readFileSync(spec.logPath, "utf8")).toContain(`b ${ips.a}`);
  });

  test("node ports answer on the host, and follow their service", async () => {
    const ask = () => fetch(`http://${LOOPBACK}:30080/`, { headers: { connection: "close" } }).then((response) => response.text());
    expect(await ask()).toMatch(/^[bc] 10\.244\.0\.1$/);
    await node.service("web", "10.96.0.20", [ips.c], { nodePort: 30080 });
    expect(await ask()).toBe(`c ${NODE_IP}`);
    await node.service("web", "10.96.0.20", [ips.b, ips.c]);
    await expect(ask()).rejects.toThrow();
  });

  test("names that nobody knows fail", async () => {
    expect((await node.program("a", ["get", "http://nosuch/", "http://nosuch.test/"])).stdout).not.toContain("10.");
  });
});

describe("the outside", () => {
  test("is reached through the relay", async () => {
    expect((await node.program("a", ["get", OUTSIDE])).stdout).toBe(`outside ${HOST_IP}`);
  });

  test("is not the host, nor link-local, nor the relay itself", async () => {
    const server = Bun.serve({ hostname: "0.0.0.0", port: 0, fetch: () => new Response("the host") });
    const { stdout } = await node.program("a", [
      "get",
      `http://${HOST_IP}:${server.port}/`,
      `http://${LOOPBACK}:${server.port}/`,
      "http://169.254.169.254/",
      `http://${NODE_IP}:15999/`,
    ]);
    expect(stdout).not.toContain("the host");
    // Reset after the relay has looked at where it was bound; refused; no route; reset.
    expect(stdout).toMatch(/^ECONN(RESET|REFUSED)\nECONNREFUSED\nENETUNREACH\nECONN(RESET|REFUSED)$/);
    expect(node.logLines.join("")).toContain("it is this host's own address");
    await server.stop(true);
  });
});

describe("walls of a pod", () => {
  test("no files of users, no capability, no mark, no rule, no sysctl, no other process", async () => {
    mkdirSync(`${STATE_DIR}/secret`, { recursive: true });
    const project = dirname(dirname(import.meta.dir));
    const hidden = [STATE_DIR, project, import.meta.dir, "/etc/shadow", "/etc/sudoers", "/var/lib/dpkg", "/usr/share/doc", "/boot", "/mnt", "/.dockerenv"];
    const { stdout } = await node.program("a", ["walls", ...hidden], { uid: 0, gid: 0 });
    const none = "0000000000000000";
    const refused = expect.stringMatching(/^(EROFS|EACCES|EPERM)$/);
    expect(JSON.parse(stdout)).toEqual({
      seen: [],
      home: [],
      capabilities: [none, none, none, none, none],
      noNewPrivs: "1",
      pids: [1],
      mark: "EPERM",
      nft: "NFT_FAILED",
      forwarding: refused,
      ipv6: refused,
      corePattern: refused,
      usr: refused,
      root: "ok",
      user: 0,
    });
  });

  test("no signal is blocked or ignored at the start", async () => {
    expect((await node.run("a", ["sed", "-n", "s/^Sig\\(Blk\\|Ign\\):.//p", "/proc/self/status"])).stdout).toBe("0000000000000000\n0000000000000000");
  });

  test("no descriptor of the cluster is left open, and the file mask is the usual one", async () => {
    // The fourth is the folder that ls reads.
    const { stdout } = await node.run("a", ["sh", "-c", "ls -m /proc/self/fd; umask"], { uid: 0, gid: 0 });
    expect(stdout).toBe("0, 1, 2, 3\n0022");
    expect((await node.exec(web["b"]?.id ?? "", ["sh", "-c", "ls -m /proc/self/fd; umask"])).stdout).toBe("0, 1, 2, 3\n0022\n");
  });

  test("a signal to the whole process group stays inside", async () => {
    expect((await node.run("a", ["sh", "-c", "trap 'echo caught' TERM; kill -TERM 0; echo on"], { uid: 0, gid: 0 })).stdout).toBe("caught\non");
    expect((await node.exec(web["b"]?.id ?? "", ["sh", "-c", "kill -TERM 0; sleep 1"])).exitCode).not.toBe(0);
    const killed = await node.start("a", ["sh", "-c", "sleep 0.01; kill -KILL 0; sleep 9"], { uid: 0, gid: 0 });
    expect((await killed.exited).exitCode).toBe(137);
  });

  test("NET_ADMIN is given alone, and counts in the pod's own network", async () => {
    const { stdout } = await node.program("a", ["walls"], { capabilities: "NET_ADMIN" });
    const one = "0000000000001000";
    expect(JSON.parse(stdout)).toMatchObject({ capabilities: [one, one, one, one, one], mark: "ok", nft: "ok", user: realUids ? 1000 : 0 });
  });

  test("exec enters without the container's capability, in its namespaces", async () => {
    const container = await node.start("a", ["sleep", "30"], { capabilities: "NET_ADMIN", env: { COLOUR: "green" } });
    const { stdout } = await node.exec(container.id, [BUN, POD_PROGRAM, "walls"]);
    const seen = JSON.parse(stdout) as { pids: number[] };
    expect(seen).toMatchObject({
      capabilities: Array<string>(5).fill("0000000000000000"),
      noNewPrivs: "1",
      mark: "EPERM",
      nft: "NFT_FAILED",
      user: realUids ? 1000 : 0,
    });
    expect(seen.pids).toContain(1);
    expect((await node.exec(container.id, ["sh", "-c", "echo $COLOUR; hostname; echo err >&2; exit 7"])).stdout).toBe("green\na\n");
    container.kill("SIGKILL");
  });

  test("packets with another source are dropped, even from a pod with NET_ADMIN", async () => {
    const pod = await node.pod("spoofer");
    expect(pod).toBeString();
    for (const ip of ["10.244.77.7", ips.c]) {
      const { stdout } = await node.program("spoofer", ["spoof", ip, ips.b, "8080"], { capabilities: "NET_ADMIN" });
      expect(stdout).toBe("silence");
    }
  });

  test("LD_PRELOAD of a container reaches nothing that is still privileged", async () => {
    const { stderr } = await node.run("a", ["true"], { env: { LD_PRELOAD: "/planted.so" } });
    // The loader complains once: of the program itself.
    expect(stderr.match(/planted\.so/g)?.length ?? 0).toBe(1);
  });

  test("what a container plants in place of the machine's tools never runs with privileges", async () => {
    const folder = `${STATE_DIR}/planted`;
    mkdirSync(folder, { recursive: true });
    const tools = ["setpriv", "unshare", "nsenter", "setsid", "env"];
    const trap = '#!/bin/sh\necho "PLANTED $(sed -n s/^CapEff://p /proc/self/status)"\n';
    for (const name of [...tools, "ld.so.preload", "nsswitch.conf"])
      writeFileSync(`${folder}/${name}`, name.includes(".") ? "/tmp/planted.so\n" : trap, { mode: 0o755 });
    const over = (name: string, containerPath: string) => ({ hostPath: `${folder}/${name}`, containerPath, readOnly: true });
    const mounts = [...tools.map((name) => over(name, `/usr/bin/${name}`)), over("nsswitch.conf", "/etc/nsswitch.conf")];
    const container = await node.start("a", ["sleep", "35"], { uid: 0, gid: 0, mounts });
    expect((await node.exec(container.id, ["echo", "on"])).stdout).toBe("on\n");
    expect((await node.exec(container.id, ["echo", "on"], { tty: true })).stdout).toBe("on\r\n");
    container.kill("SIGKILL");
    // The loader obeys this file in every program that it starts; here it is the container's own program alone.
    const preload = await node.run("a", ["true"], { uid: 0, gid: 0, mounts: [over("ld.so.preload", "/etc/ld.so.preload")] });
    expect(preload.stderr.match(/planted\.so/g)?.length).toBe(1);
    const late = await node.start("a", ["sh", "-c", "echo /tmp/planted.so > /etc/ld.so.preload; exec sleep 36"], { uid: 0, gid: 0 });
    await until(async () => (await node.exec(late.id, ["true"])).stderr.includes("planted.so"));
    expect((await node.exec(late.id, ["true"])).stderr.match(/planted\.so/g)?.length).toBe(1);
    late.kill("SIGKILL");
  });

  test("nothing of the tools' root is left in a container's sight", async () => {
    const script =
      "ls /container /pid-namespace 2>/dev/null; cut -d' ' -f5 /proc/self/mountinfo | sort | uniq -d | grep -v '^/proc$'; grep -c . /proc/self/mountinfo";
    const container = await node.start("a", ["sleep", "37"]);
    const lines = async () => (await node.exec(container.id, ["sh", "-c", script])).stdout.trim().split("\n");
    const first = await lines();
    expect(first).toHaveLength(1);
    expect(await lines()).toEqual(first);
    container.kill("SIGKILL");
  });

  test("no command line of the machine shows a container's environment", async () => {
    const container = await node.start("a", ["sleep", "33"], { env: { PASSWORD: "hunter2-secret" } });
    const child = await node.node.runtime.exec(container.id, { argv: ["sleep", "34"], tty: false, stdin: false, env: { TOKEN: "hunter2-secret" } });
    await until(async () => (await node.exec(container.id, ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])).stdout.includes("sleep 34"));
    const lines = readdirSync("/proc").map((pid) => (existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : ""));
    expect(lines.some((line) => line.includes("sleep"))).toBe(true);
    expect(lines.join("")).not.toContain("hunter2-secret");
    child.kill();
    container.kill("SIGKILL");
  });

  test("the main thread has stayed in the host's network", () => {
    const networks = readdirSync("/proc/self/task").map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));
    expect(readlinkSync("/proc/self/ns/net")).toBe(readlinkSync("/proc/1/ns/net"));
    expect(new Set(networks).size).toBeGreaterThan(1);
  });
});

describe("files", () => {
  test("mounts: files and folders, read-only or not, one within another, over links that lead nowhere", async () => {
    const volume = `${STATE_DIR}/volume`;
    mkdirSync(`${volume}/sub`, { recursive: true });
    writeFileSync(`${volume}/note`, "hello");
    writeFileSync(`${STATE_DIR}/single`, "single");
    // A container that wrote this link into its volume must not make the next mount land outside.
    symlinkSync("/../../../../srv", `${volume}/link`);
    const mounts = [
      { hostPath: `${STATE_DIR}/single`, containerPath: "/data/link/deep/file", readOnly: true },
      { hostPath: volume, containerPath: "/data", readOnly: false },
      { hostPath: volume, containerPath: "/ro", readOnly: true },
      { hostPath: volume, containerPath: "/var/run/secrets/kubernetes.io", readOnly: true },
    ];
    const script = "cat /data/note /ro/note /run/secrets/kubernetes.io/note /srv/deep/file; echo x > /data/written; echo x > /ro/y || echo denied";
    const { stdout } = await node.run("a", ["sh", "-c", script], { uid: 0, gid: 0, mounts });
    expect(stdout).toBe("hellohellohellosingledenied");
    expect(existsSync(`${volume}/written`)).toBe(true);
    expect(existsSync("/srv/deep")).toBe(false);
  });

  test("a subPath never leads out, however quickly a container swaps folders and links", async () => {
    const volume = `${STATE_DIR}/raced`;
    mkdirSync(`${volume}/a/b`, { recursive: true });
    writeFileSync(`${volume}/a/b/mine`, "");
    for (const path of [volume, `${volume}/a`, `${volume}/a/b`]) chmodSync(path, 0o777);
    const racer = await node.start("a", ["sh", "-c", "cd /v; while :; do mv a x; ln -s /usr a; rm a; ln -s ../../.. a; rm a; mv x a; done"], {
      mounts: [{ hostPath: volume, containerPath: "/v", readOnly: false }],
    });
    const seen = { mine: 0, refused: 0 };
    for (let round = 0; round < 60; round++) {
      const mounts = [{ hostPath: volume, subPath: "a/b", containerPath: "/m", readOnly: true }];
      try {
        expect((await node.run("c", ["ls", "/m"], { mounts })).stdout).toBe("mine");
        seen.mine += 1;
      } catch (error) {
        expect(String(error)).toMatch(/subPath a\/b: .*\((EXDEV|ENOENT|ENOTDIR|EAGAIN|ELOOP)\)/);
        seen.refused += 1;
      }
    }
    racer.kill("SIGKILL");
    console.log(`subPath raced: ${seen.mine} times mounted, ${seen.refused} times refused`);
    await racer.exited;
    expect(seen.mine + seen.refused).toBe(60);
  });

  test("a folder in memory is as large as it was said, and is given back", async () => {
    const folder = `${STATE_DIR}/memory`;
    mkdirSync(folder);
    await node.node.runtime.mountMemory(folder, 1 << 20);
    const mounts = [{ hostPath: folder, containerPath: "/m", readOnly: false }];
    expect(
      (
        await node.run(
          "a",
          ["sh", "-c", "stat -f -c %T /m; head -c 2000000 /dev/zero > /m/f 2>/dev/null || echo full; stat -c %s /m/f; rm /m/f; echo kept > /m/g"],
          { mounts },
        )
      ).stdout,
    ).toBe("tmpfs\nfull\n1048576");
    expect((await node.run("b", ["cat", "/m/g"], { mounts })).stdout).toBe("kept");
    await node.node.runtime.releaseMemory(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a read-only root keeps its volumes writable", async () => {
    mkdirSync(`${STATE_DIR}/scratch`, { recursive: true });
    const mounts = [{ hostPath: `${STATE_DIR}/scratch`, containerPath: "/tmp", readOnly: false }];
    const script = "for f in /a /run/b /var/c /tmp/d /dev/shm/e; do (echo x > $f) 2>/dev/null && echo $f; done";
    expect((await node.run("a", ["sh", "-c", script], { uid: 0, gid: 0, readOnlyRoot: true, mounts })).stdout).toBe("/tmp/d\n/dev/shm/e");
  });

  test("a missing volume is an error that names it", async () => {
    const mounts = [{ hostPath: `${STATE_DIR}/nosuch`, containerPath: "/data", readOnly: true }];
    expect(await failure(node.start("a", ["true"], { mounts }))).toContain("nosuch does not exist");
  });

  test("the working folder is made, and is where it starts", async () => {
    expect((await node.run("a", ["pwd"], { workingDir: "/srv/app/x" })).stdout).toBe("/srv/app/x");
  });
});

describe("processes", () => {
  test("a program that is not there ends with 127 and a line that says so", async () => {
    const { exitCode, stderr } = await node.run("a", ["nosuch", "--flag"]);
    expect([exitCode, stderr]).toEqual([127, 'exec: "nosuch": executable file not found in $PATH']);
  });

  test("the environment arrives as it was given", async () => {
    const env = {
      PLAIN: "1",
      QUOTES: 'it\'s "$HOME" `x` \\\\',
      LINES: "a\n b\n",
      EMPTY: "",
      "dotted.name": "d",
      "dash-ed": "e",
      UID: "u",
      IFS: "xyz",
      OPTIND: "none",
      PATH: "/usr/bin:/bin",
    };
    const { stdout } = await node.run("a", [BUN, "-e", "console.log(JSON.stringify(process.env))"], { env });
    expect(JSON.parse(stdout)).toMatchObject({ ...env, HOSTNAME: "a", HOME: "/" });
    const inside = await node.exec(web["b"]?.id ?? "", [BUN, "-e", "console.log(JSON.stringify(process.env))"], { env });
    expect(JSON.parse(inside.stdout)).toMatchObject(env);
    expect(await failure(node.start("a", ["true"], { env: { "A=B": "" } }))).toContain("cannot be an environment variable");
  });

  test("/dev/stdout and /dev/stderr can be opened under any uid", async () => {
    expect(await node.run("a", ["sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr"])).toMatchObject({ exitCode: 0, stdout: "out", stderr: "err" });
  });

  test("exit codes and signals, and both streams to the log", async () => {
    expect(await node.run("a", ["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({ exitCode: 3, stdout: "out", stderr: "err" });
    const container = await node.start("a", ["sleep", "30"]);
    container.kill("SIGKILL");
    expect(await container.exited).toEqual({ exitCode: 137, signal: "SIGKILL" });
  });

  test("a handled SIGTERM is the program's own end", async () => {
    const container = await node.start("a", ["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.01; done"]);
    // Before the trap is set the first process of a namespace does not feel it: it is sent until it is felt.
    const sending = setInterval(() => container.kill("SIGTERM"), 20);
    const ended = await container.exited;
    clearInterval(sending);
    expect(ended).toEqual({ exitCode: 9 });
  });

  test("a container killed from outside is noticed, and its neighbours go on", async () => {
    const neighbour = await node.start("a", ["sleep", "30"]);
    const victim = await node.start("a", ["sh", "-c", "sleep 30 & sleep 30"]);
    process.kill(victim.pid, "SIGKILL");
    expect((await victim.exited).exitCode).toBe(137);
    expect(existsSync(`/proc/${neighbour.pid}`)).toBe(true);
    // The process that waits for a container is killed: the container must not live on unseen.
    const wrapper = Number(readFileSync(`/proc/${neighbour.pid}/stat`, "utf8").split(" ")[3]);
    process.kill(wrapper, "SIGKILL");
    expect((await neighbour.exited).exitCode).toBe(137);
    await until(() => !existsSync(`/proc/${neighbour.pid}`));
  });

  test("exec: exit code, input, terminal with its size", async () => {
    const { id } = web["b"] ?? { id: "" };
    expect(await node.exec(id, ["sh", "-c", "echo out; echo err >&2; exit 5"])).toEqual({ exitCode: 5, stdout: "out\n", stderr: "err\n" });
    expect((await node.exec(id, ["cat"], { input: "typed" })).stdout).toBe("typed");
    const terminal = await node.exec(id, ["sh", "-c", "[ -t 0 ] && echo tty; read line; echo got $line"], { tty: true, input: "typed\n" });
    expect(terminal.stdout).toContain("tty\r\n");
    expect(terminal.stdout).toContain("got typed\r\n");
    expect((await node.exec(id, ["nosuch"])).exitCode).toBe(127);
    const named = await node.exec(id, ["sh", "-c", "tty; stat -c %u $(tty); ps -o tty= -p $$; echo done > /dev/tty"], { tty: true });
    expect(named.stdout).toMatch(new RegExp(`^/dev/pts/\\d+\r\n${realUids ? 1000 : 0}\r\npts/\\d+\r\ndone\r\n$`));
    expect(await failure(node.exec("nosuch", ["true"]))).toContain("is not running");
  });

  test("killing an exec ends what runs inside", async () => {
    const { id } = web["b"] ?? { id: "" };
    const child = await node.node.runtime.exec(id, { argv: ["sleep", "31"], tty: false, stdin: false });
    await until(async () => (await node.exec(id, ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])).stdout.includes("sleep 31"));
    child.kill();
    await child.exited;
    await until(async () => !(await node.exec(id, ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])).stdout.includes("sleep 31"));
  });

  test("attach: input and output of the container itself, with pipes and with a terminal", async () => {
    for (const tty of [false, true]) {
      const container = await node.start("a", ["sh", "-c", "read line; echo got $line; exit 4"], { stdin: true, tty });
      const attached = container.attach?.();
      const output = attached ? new Response(attached.stdout).text() : Promise.resolve("");
      attached?.stdin?.write(Buffer.from("typed\n"));
      expect((await container.exited).exitCode).toBe(4);
      expect(await output).toContain(tty ? "got typed\r\n" : "got typed\n");
    }
  });

  test("a terminal has job control and a size, in a container and in an exec", async () => {
    const container = await node.start("a", ["bash", "--norc", "-i"], { stdin: true, tty: true, env: { PS1: "$ " } });
    const talk = async (shell: ExecProcess) => {
      let text = "";
      const reading = (async () => {
        for await (const chunk of shell.stdout) text += Buffer.from(chunk).toString();
      })();
      const say = async (line: string, answer: RegExp) => {
        shell.stdin?.write(Buffer.from(line));
        await until(() => answer.test(text));
      };
      shell.resize(101, 33);
      await say("stty size; tty\n", /33 101\r\n\/dev\/pts\/\d+/);
      // A key reaches whatever has the terminal just then: it is pressed until the program had it.
      const press = async (key: string, answer: RegExp) => {
        for (let tries = 0; tries < 50 && !answer.test(text); tries++) {
          shell.stdin?.write(Buffer.from(key));
          for (let waits = 0; waits < 20 && !answer.test(text); waits++) await Bun.sleep(10);
        }
        expect(text).toMatch(answer);
      };
      await say("sleep 38\n", /sleep 38\r\n/);
      await press("\x1a", /Stopped +sleep 38/);
      await say("bg; jobs\n", /Running +sleep 38/);
      await say("kill %1; wait; echo gone $((40 + 2))\n", /gone 42/);
      await say("cat\n", /\$ cat\r\n/);
      await press("\x03", /\^C[^]*\$ $/);
      await say("echo sid $(ps -o sid= -p $$) $(ps -o pgid= -p $$) $$.\n", /sid +(\d+) +\1 \1\./);
      await say("exit 6\n", /exit\r\n/);
      expect(text).not.toContain("no job control");
      await reading;
      return (await shell.exited).exitCode;
    };
    const inside = await node.node.runtime.exec(container.id, { argv: ["bash", "--norc", "-i"], tty: true, stdin: true, env: { PS1: "$ " } });
    expect(await talk(inside)).toBe(6);
    const attached = container.attach?.();
    if (attached) expect(await talk(attached)).toBe(6);
  }, 30_000);

  test("containers of a pod can share their processes; an end takes the container's own along, and no other's", async () => {
    node.tell("shared");
    await node.node.runtime.createSandbox({ id: "shared", hostname: "shared", hostNetwork: false, sharedPids: true });
    const one = await node.start("shared", ["sh", "-c", "sleep 301 & sleep 302 & wait"]);
    const two = await node.start("shared", ["sleep", "303"]);
    const commands = async () =>
      await node.exec(two.id, [
        "sh",
        "-c",
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; cat /proc/1/comm; ls /proc/keys /proc/sys/kernel > /dev/null; echo x > /proc/sys/kernel/domainname",
      ]);
    await until(async () => /sleep 301.*sleep 302/s.test((await commands()).stdout));
    const { stdout, stderr } = await commands();
    expect(stdout).toMatch(/sleep 303[^]*\nsh\n$/);
    expect(stderr).toMatch(/Read-only|Permission denied/i);
    const inside = await node.node.runtime.exec(one.id, { argv: ["sleep", "304"], tty: false, stdin: false });
    one.kill("SIGKILL");
    expect((await one.exited).exitCode).toBe(137);
    await inside.exited;
    await until(async () => !/sleep 30[124]/.test((await commands()).stdout));
    expect(existsSync(`/proc/${two.pid}`)).toBe(true);
    expect((await node.node.runtime.usage(two.id)).memoryBytes).toBeGreaterThan(1000);
    await node.node.runtime.removeSandbox("shared");
    expect((await two.exited).exitCode).toBe(137);
  });

  test("a container can join the processes of another, as kubectl debug --target wants it", async () => {
    const target = await node.start("a", ["sleep", "305"]);
    await until(() => readFileSync(`/proc/${target.pid}/cmdline`, "utf8").startsWith("sleep"));
    const joining = await node.run("a", ["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; ls /proc/1/root > /dev/null && echo seen"], {
      joins: target.id,
      uid: 1000,
    });
    expect(joining.stdout).toMatch(/^sleep 305 ?(seen)?$/m);
    expect(existsSync(`/proc/${target.pid}`)).toBe(true);
    target.kill("SIGKILL");
    await target.exited;
    expect(await failure(node.start("a", ["true"], { joins: target.id }))).toContain("is not running");
  });

  test("dial reaches a pod from the node and from its own loopback; what nobody serves is refused", async () => {
    for (const [from, host] of [
      ["node", ips.b],
      ["node", "10.96.0.21"],
      [{ sandboxId: "b" }, "127.0.0.1"],
    ] as const) {
      const stream = await node.node.runtime.dial(from, host, host.startsWith("10.96") ? 80 : 8080);
      stream.write("GET / HTTP/1.0\r\n\r\n");
      let text = "";
      for await (const chunk of stream) text += String(chunk);
      expect(text).toContain("b 1");
    }
    expect(await failure(node.node.runtime.dial("node", ips.b, 9))).toContain(`connect ${ips.b}:9: connection refused (ECONNREFUSED)`);
    expect(await failure(node.node.runtime.dial({ sandboxId: "nosuch" }, "127.0.0.1", 9))).toContain("there is no sandbox nosuch");
  });

  test("usage counts a pod's own processes", async () => {
    const { memoryBytes, cpuSeconds } = await node.node.runtime.usage("b");
    expect(memoryBytes).toBeGreaterThan(1024 * 1024);
    expect(cpuSeconds).toBeGreaterThanOrEqual(0);
  });
});

describe("the node", () => {
  test("listens for pods on its own addresses, served by the main thread", async () => {
    const fd = await node.node.listen("tcp", "10.96.0.1", 443);
    const options = { fd, socket: { data: (socket: Bun.Socket) => void socket.end("HTTP/1.0 200 OK\r\n\r\nthe api") } };
    const listener = Bun.listen(options as unknown as Bun.TCPSocketListenOptions<undefined>);
    expect((await node.program("a", ["get", "http://10.96.0.1:443/"])).stdout).toBe("the api");
    listener.stop(true);
  });

  test("pods of the host's network share the node's", async () => {
    await node.node.runtime.createSandbox({ id: "hostnet", hostname: "node", hostNetwork: true });
    expect((await node.program("hostnet", ["get", "http://10.96.0.21/"])).stdout).toBe(`b ${NODE_IP}`);
    await node.node.runtime.removeSandbox("hostnet");
    expect((await node.program("a", ["get", "http://10.96.0.21/"])).stdout).toBe(`b ${ips.a}`);
  });

  test("sysctls of the pod's own namespaces only", async () => {
    const make = (sysctls: Record<string, string>) => node.node.runtime.createSandbox({ id: "sysctl", hostname: "x", hostNetwork: false, sysctls });
    expect(await failure(make({ "kernel.core_pattern": "|/x" }))).toContain("not confined");
    node.tell("sysctl");
    await make({ "net.core.somaxconn": "77" });
    expect((await node.run("sysctl", ["cat", "/proc/sys/net/core/somaxconn"])).stdout).toBe("77");
    await node.node.runtime.removeSandbox("sysctl");
  });

  test("a pod that is removed while a container starts leaves no container", async () => {
    await node.pod("hasty");
    const started = node.start("hasty", ["sleep", "32"]);
    const removed = node.node.runtime.removeSandbox("hasty");
    const container = await started.catch(() => undefined);
    await removed;
    if (container) expect((await container.exited).exitCode).toBe(137);
    expect(await failure(node.start("hasty", ["true"]))).toContain("there is no sandbox hasty");
  });

  test("twenty pods come and go and leave nothing", async () => {
    const count = () => readdirSync("/proc/self/fd").length;
    const before = count();
    const started = performance.now();
    const pods = Array.from({ length: 20 }, (_, index) => `many-${index}`);
    const containers = await Promise.all(pods.map(async (pod) => node.pod(pod).then(() => node.start(pod, ["sleep", "30"]))));
    const each = (performance.now() - started) / pods.length;
    console.log(`a pod started in ${each.toFixed(1)} ms`);
    expect(each).toBeLessThan(100);
    await Promise.all(pods.map((pod) => node.node.runtime.removeSandbox(pod)));
    for (const { pid } of containers) expect(existsSync(`/proc/${pid}`)).toBe(false);
    await until(() => count() <= before);
    expect(statSync(`${STATE_DIR}/root`).isDirectory()).toBe(true);
    expect(readdirSync(`${STATE_DIR}/root`)).toEqual([]);
  });
});
