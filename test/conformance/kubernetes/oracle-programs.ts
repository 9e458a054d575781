/** Finds a kube-apiserver and an etcd, or builds them from the Go module proxy. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** What our answers are compared with. Another version's answers would need recording anew. */
export const KUBERNETES_VERSION = "1.34.4";
const ETCD_VERSION = "3.6.4";

export interface OraclePrograms {
  apiserver: string;
  etcd: string;
}

/** From CHAINMAIL_KUBERNETES_ORACLE (a folder with both), else from the cache, where they are built once. Needs `go` to build. */
export async function oraclePrograms(say: (line: string) => void): Promise<OraclePrograms> {
  const given = process.env.CHAINMAIL_KUBERNETES_ORACLE;
  const folder = given ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chainmail", `kubernetes-${KUBERNETES_VERSION}`);
  const programs = { apiserver: join(folder, "kube-apiserver"), etcd: join(folder, "etcd") };
  if (existsSync(programs.apiserver) && existsSync(programs.etcd)) return programs;
  if (given) throw new Error(`CHAINMAIL_KUBERNETES_ORACLE names ${given}, which has no kube-apiserver and etcd`);
  if (!Bun.which("go"))
    throw new Error(
      "a kube-apiserver is needed to compare with, and there is no `go` to build it: install Go, or set CHAINMAIL_KUBERNETES_ORACLE to a folder with kube-apiserver and etcd",
    );
  mkdirSync(folder, { recursive: true });
  say(`building kube-apiserver ${KUBERNETES_VERSION} and etcd ${ETCD_VERSION} into ${folder}; this takes some minutes, once`);
  await writeModule(folder);
  const version = "k8s.io/component-base/version";
  const [major, minor] = KUBERNETES_VERSION.split(".");
  await build(
    folder,
    "kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    `-s -w -X ${version}.gitVersion=v${KUBERNETES_VERSION} -X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`,
  );
  await build(folder, "etcd", "go.etcd.io/etcd/server/v3", "-s -w");
  return programs;
}

/** Kubernetes' own module refers to its staging modules by folders of its repository, which the published module has not. */
async function writeModule(folder: string): Promise<void> {
  const downloaded = await go(folder, ["mod", "download", "-json", `k8s.io/kubernetes@v${KUBERNETES_VERSION}`]);
  const { GoMod: path } = JSON.parse(downloaded) as { GoMod: string };
  const staging = [...(await Bun.file(path).text()).matchAll(/^\s*(k8s\.io\/\S+) => \.\/staging/gm)].map(([, module]) => module);
  const published = KUBERNETES_VERSION.replace(/^1/, "0");
  writeFileSync(
    join(folder, "go.mod"),
    `module oracle\n\ngo 1.24.0\n\nrequire (\n\tk8s.io/kubernetes v${KUBERNETES_VERSION}\n\tgo.etcd.io/etcd/server/v3 v${ETCD_VERSION}\n)\n\nreplace (\n${staging.map((module) => `\t${module} => ${module} v${published}\n`).join("")})\n`,
  );
}

async function build(folder: string, name: string, pkg: string, flags: string): Promise<void> {
  await go(folder, ["build", "-ldflags", flags, "-o", `${name}.part`, pkg]);
  renameSync(join(folder, `${name}.part`), join(folder, name));
}

async function go(folder: string, args: string[]): Promise<string> {
  const child = Bun.spawn(["nice", "-n", "5", "go", ...args], {
    cwd: folder,
    env: { ...process.env, GOFLAGS: "-mod=mod -buildvcs=false" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`go ${args[0]} failed: ${err.slice(-2000)}`);
  return out;
}
