// Stands for the host: runs in a network namespace of its own, with an "outside" behind a veth pair, starts the cluster's
// process tree by the launcher, and passes on how the tests inside it ended. Arguments: state folder, "root" or "user", and
// where wanted which in-tree file, a way to have images' roots, and a part of the tests' names.
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { addAddress, closeFd, createVeth, interfaceIndex, openNamespace, rtnetlink, setLinkUp } from "../../src/linux/index.ts";
import { clusterRunning, launchCluster, stopCluster } from "../../src/cluster/launch/index.ts";

const [stateDir = "", mode = "", part = "", rootMode = "", only = ""] = process.argv.slice(2);
const HOST_IP = "192.0.2.1";
const OUTSIDE_IP = "192.0.2.2";
const OUTSIDE_PORT = 8000;
/** The tests' own limit, with room for a slow machine. */
const TIMEOUT_MS = 60_000;
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

mkdirSync(stateDir, { recursive: true });
const built = await Bun.build({ entrypoints: [here("./pod-program.ts")], target: "bun", outdir: stateDir });
if (!built.success) throw new AggregateError(built.logs, "the pods' program does not build");
const program = `${stateDir}/pod-program.js`;

rtnetlink(setLinkUp(1));
const outside = Bun.spawn(["unshare", "--net", process.execPath, program, "outside", OUTSIDE_IP, String(OUTSIDE_PORT)], { stdout: "pipe", stderr: "inherit" });
const lines = outside.stdout.pipeThrough(new TextDecoderStream()).getReader();
await lines.read();
const namespaceFd = openNamespace("net", outside.pid);
rtnetlink(createVeth("out0", "02:00:00:00:00:01", { name: "eth0", mac: "02:00:00:00:00:02", namespaceFd }));
closeFd(namespaceFd);
const out0 = interfaceIndex("out0");
rtnetlink(addAddress(out0, HOST_IP, 24), setLinkUp(out0));
await lines.read();

const options = {
  argv: [process.execPath, "test", ...(only ? ["--test-name-pattern", only] : []), here(`./in-tree${part && `-${part}`}.ts`)],
  env: {
    PATH: "/usr/bin:/bin:/usr/sbin:/sbin",
    HOME: stateDir,
    STATE_DIR: stateDir,
    POD_PROGRAM: program,
    OUTSIDE: `http://${OUTSIDE_IP}:${OUTSIDE_PORT}/`,
    HOST_IP,
    ROOT_MODE: rootMode,
  },
  logPath: `${stateDir}/log`,
  pidPath: `${stateDir}/pid`,
  rootless: mode === "user",
};
await launchCluster(options);
const deadline = performance.now() + TIMEOUT_MS;
while (clusterRunning(options) && performance.now() < deadline) await Bun.sleep(20);
const timedOut = (await stopCluster(options)) !== "not-running";
outside.kill();
await outside.exited;

const log = readFileSync(options.logPath, "utf8");
console.log(log);
// /proc is shared with the rest of the machine: what belongs to this run is known by its state folder.
const left = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid) && commandLine(name).includes(`${stateDir}/`));
if (left.length > 0) console.log(`left over: ${left.map((pid) => `${pid} ${commandLine(pid)}`).join("\n")}`);
const leaked = statSync(`${stateDir}/root/etc`, { throwIfNoEntry: false });
if (leaked) console.log("a container's root is visible on the host");
process.exit(!timedOut && left.length === 0 && !leaked && /^ 0 fail$/m.test(log) && /^ [1-9]\d* pass$/m.test(log) ? 0 : 1);

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // It ended while we looked.
  }
}
