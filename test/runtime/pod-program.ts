// What runs in the test's pods: one small command each, built into one file.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { addAddress, closeFd, connectMarked, interfaceIndex, rtnetlink, runNft, setLinkUp, SystemError } from "../../src/linux/index.ts";

const [command = "", ...args] = process.argv.slice(2);

function outcome(work: () => unknown): string {
  try {
    const result = work();
    return result === undefined ? "ok" : String(result);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

const commands: Record<string, () => void | Promise<void>> = {
  /** Answers `<name> <client address>`. */
  serve() {
    const [port, name] = args;
    Bun.serve({ port: Number(port), hostname: "0.0.0.0", fetch: (request, server) => new Response(`${name} ${server.requestIP(request)?.address}`) });
    console.log("serving");
  },
  /** One line each: the body, or the error's code. */
  async get() {
    for (const url of args) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(1_500), keepalive: false, headers: { connection: "close" } });
        console.log(await response.text());
      } catch (error) {
        console.log(error instanceof Error && "code" in error ? error.code : String(error));
      }
    }
  },
  /** One line for each `host:port` (by TCP) or `dns` (a question by UDP): "open", or why not. */
  async reach() {
    const LIMIT_MS = 250;
    const ask = async (target: string): Promise<string> => {
      if (target === "dns") {
        const socket = createSocket("udp4");
        try {
          // What is the address of "a."? Any answer will do.
          socket.send(Buffer.from("000101000001000000000000" + "016100" + "00010001", "hex"), 53, "10.96.0.10");
          return await Promise.race([
            new Promise<string>((resolve) => socket.once("message", () => resolve("open"))),
            Bun.sleep(LIMIT_MS).then(() => "silent"),
          ]);
        } finally {
          socket.close();
        }
      }
      const [host = "", port] = target.split(":");
      const socket = connect(Number(port), host);
      const result = await Promise.race([
        new Promise<string>((resolve) => socket.once("connect", () => resolve("open")).once("error", () => resolve("refused"))),
        Bun.sleep(LIMIT_MS).then(() => "silent"),
      ]);
      socket.destroy();
      return result;
    };
    console.log((await Promise.all(args.map(ask))).join("\n"));
    process.exit(0);
  },
  /** Connects, waits, and asks only then. */
  async late() {
    const [host, port, milliseconds] = args;
    const socket = connect(Number(port), host ?? "");
    await new Promise((resolve) => socket.once("connect", resolve));
    console.log("connected");
    await Bun.sleep(Number(milliseconds));
    socket.write("GET / HTTP/1.0\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    console.log(text.split("\r\n\r\n")[1]);
  },
  walls() {
    const status = readFileSync("/proc/self/status", "utf8");
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
    const seen = args.filter((path) => existsSync(path));
    console.log(
      JSON.stringify({
        seen,
        home: [
          ...readdirSync("/home"),
          ...outcome(() => readdirSync("/root").join())
            .split(",")
            .filter((name) => name !== "" && name !== "EACCES"),
        ],
        capabilities: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(field),
        noNewPrivs: field("NoNewPrivs"),
        pids: readdirSync("/proc")
          .filter((name) => /^\d+$/.test(name))
          .map(Number),
        mark: outcome(() => closeFd(connectMarked("127.0.0.1", 1, 1337))),
        nft: outcome(() => void runNft("add table ip probe")),
        forwarding: outcome(() => writeFileSync("/proc/sys/net/ipv4/ip_forward", "1")),
        ipv6: outcome(() => writeFileSync("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0")),
        corePattern: outcome(() => writeFileSync("/proc/sys/kernel/core_pattern", "|/x")),
        usr: outcome(() => writeFileSync("/usr/planted", "")),
        root: outcome(() => writeFileSync("/planted", "")),
        user: process.getuid?.(),
      }),
    );
  },
  /** Takes another address and asks with it. */
  spoof() {
    const [ip, host, port] = args;
    rtnetlink(addAddress(interfaceIndex("eth0"), ip ?? "", 32));
    const probe = Bun.spawnSync(["timeout", "0.5", process.execPath, process.argv[1] ?? "", "bound", ip ?? "", host ?? "", port ?? ""]);
    console.log(probe.stdout.toString().trim() || "silence");
  },
  async bound() {
    const [ip, host, port] = args;
    const socket = connect({ localAddress: ip, host, port: Number(port) });
    await new Promise((resolve) => socket.once("connect", resolve).once("error", resolve));
    console.log(socket.readyState);
    process.exit(0);
  },
  /** The world outside: an interface that the test gives it, and a server there. */
  async outside() {
    const [ip, port] = args;
    console.log("ready");
    while (!existsSync("/proc/sys/net/ipv4/conf/eth0")) await Bun.sleep(2);
    const eth0 = interfaceIndex("eth0");
    rtnetlink(setLinkUp(1), addAddress(eth0, ip ?? "", 24), setLinkUp(eth0));
    Bun.serve({ port: Number(port), hostname: ip, fetch: (request, server) => new Response(`outside ${server.requestIP(request)?.address}`) });
    console.log("serving");
  },
};

const run = commands[command];
if (!run) throw new SystemError(22, command);
await run();
