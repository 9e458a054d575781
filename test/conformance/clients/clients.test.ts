import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { EnvoyCluster as Cluster } from "../cluster.ts";

/** What the programs are built with, kept beside the libraries. */
const CACHE = join(import.meta.dir, "../../../node_modules/.cache/chainmail/clients");
const NODE_CLIENT = "@kubernetes/client-node@1.4.0";
/** Serves HTTP on 9090 and says $MESSAGE. */
const IMAGE = "nicholasjackson/fake-service";
/** Go fetches and compiles client-go once: minutes on a small machine. */
const BUILD_TIMEOUT_MS = 600_000;
const RUN_TIMEOUT_MS = 180_000;

const wanted = process.env["CHAINMAIL_CONFORMANCE"] === "1";
const reasonFor = (program: string): string | undefined =>
  !wanted ? "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)" : Bun.which(program) ? undefined : `there is no ${program} on the path`;
const [noGo, noNode] = [reasonFor("go"), reasonFor("node")];

describe.skipIf(noGo !== undefined && noNode !== undefined)("programs on client libraries", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start("clients", "--no-mesh");
  }, 120_000);
  afterAll(() => cluster.stop());

  /** The steps that the program says it has done; fails with all that it said where one was not. */
  async function stepsOf(command: string): Promise<string[]> {
    const { stdout, stderr, exitCode } = await cluster.sh(command);
    if (exitCode !== 0) throw new Error(`${command}: exit ${exitCode}\n${stdout}${stderr.slice(-2000)}`);
    return stdout.split("\n").filter((line) => line.startsWith("ok "));
  }

  test.skipIf(noGo !== undefined)(
    `client-go${noGo ? ` (skipped: ${noGo})` : ""}`,
    async () => {
      const folder = join(CACHE, "go");
      mkdirSync(folder, { recursive: true });
      cpSync(join(import.meta.dir, "go"), folder, { recursive: true });
      const built = Bun.spawnSync(["nice", "-n", "5", "go", "build", "-o", "clients", "."], {
        cwd: folder,
        env: { ...process.env, GOFLAGS: "-mod=mod" },
        stderr: "pipe",
      });
      if (built.exitCode !== 0) throw new Error(`go build: ${built.stderr.toString().slice(-2000)}`);
      expect(await stepsOf(`${folder}/clients listing ${IMAGE}`)).toHaveLength(15);
      // Informers that open with a watch instead of a list, as client-go's will all do.
      expect(await stepsOf(`KUBE_FEATURE_WatchListClient=true ${folder}/clients watching ${IMAGE}`)).toHaveLength(15);
    },
    BUILD_TIMEOUT_MS,
  );

  test.skipIf(noNode !== undefined)(
    `@kubernetes/client-node${noNode ? ` (skipped: ${noNode})` : ""}`,
    async () => {
      const folder = join(CACHE, "node");
      mkdirSync(folder, { recursive: true });
      const installed = Bun.spawnSync(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", NODE_CLIENT], { stderr: "pipe" });
      if (installed.exitCode !== 0) throw new Error(`npm install: ${installed.stderr.toString().slice(-2000)}`);
      cpSync(join(import.meta.dir, "node/main.mjs"), join(folder, "main.mjs"));
      expect(await stepsOf(`node ${folder}/main.mjs node ${IMAGE}`)).toHaveLength(10);
    },
    RUN_TIMEOUT_MS,
  );
});
