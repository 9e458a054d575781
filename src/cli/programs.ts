import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ChainmailError } from "../base/index.ts";
import { SAMPLE_TOOLS } from "../cluster/images/index.ts";
import { buildWebApp } from "../console/build.ts";
import { SAMPLE_PROGRAMS } from "../samples/index.ts";
import { lazyProtobuf } from "../proto/lazy/index.ts";

/** Programs that run in pods: name of the bundle to its entry file below src. */
export const PROGRAMS = {
  "pilot-agent": "agent/main.ts",
  "pilot-discovery": "controlplane/main.ts",
  ...SAMPLE_PROGRAMS,
  kiali: "console/main.ts",
  prometheus: "telemetry/main.ts",
} as const;

export type ProgramName = keyof typeof PROGRAMS;

/**
 * What programs are run with beside what all are. `bytecode` is code compiled ahead: a program starts sooner, and takes some
 * megabytes more. `env` is for JavaScriptCore.
 */
const RUN_WITH: Partial<Record<ProgramName, { readonly bytecode?: true; readonly env: Readonly<Record<string, string>> }>> = {
  // It works in bursts. The last compiler makes loops fast that run for long, and where none does what it compiles costs as
  // much CPU as everything else when proxies come (bench/controlplane: 0.8 s of 100, 0.5 s without).
  // Bun collects every second whatever there is to collect, which is a third of the CPU of a changed endpoint, and at 5,000
  // services what the slowest waited for; every half minute keeps the heap of an idle istiod as small.
  "pilot-discovery": { bytecode: true, env: { BUN_JSC_useFTLJIT: "0", BUN_GC_TIMER_INTERVAL: "30000" } },
  // A proxy without traffic needs little machine code: what starting up runs often enough to be compiled takes 2 MB. Eight
  // times as late saves half of that, and what requests run is compiled all the same (docs/dataplane-cost.md).
  // A thread that keeps memory ready for objects keeps half a megabyte of it.
  "pilot-agent": { env: { BUN_JSC_startupJITDeferralScale: "8", BUN_JSC_warmUpMarkedBlockCount: "0" } },
};

/** The checkout that this file belongs to. */
export const PROJECT_ROOT = dirname(dirname(import.meta.dir));

/** The Bun that runs this: the same binary runs in the pods. */
export const BUN_PATH = process.execPath;

/**
 * Bundles each program into one file, so that a pod's root needs neither the project nor node_modules. The folder is
 * named by what went in: an unchanged tree costs one hash, and pods of an earlier version keep their files.
 */
export async function buildPrograms(home: string): Promise<{ folder: string; built: boolean }> {
  const folder = join(home, "programs", sourceHash());
  if (existsSync(folder)) return { folder, built: false };
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true, mode: 0o755 });
  try {
    mkdirSync(join(staging, "bin"));
    mkdirSync(join(staging, "tools"));
    for (const [name, script] of Object.entries(SAMPLE_TOOLS)) writeFileSync(join(staging, "tools", name), script, { mode: 0o755 });
    await buildWebApp(join(staging, "kiali-web"));
    // The console shows what guides lie beside it; it knows none by itself.
    const { labGuide } = await import("../lab/index.ts");
    mkdirSync(join(staging, "kiali-guides"));
    writeFileSync(join(staging, "kiali-guides/lab.json"), JSON.stringify(labGuide()));
    for (const [name, entry] of Object.entries(PROGRAMS) as [ProgramName, string][]) {
      await bundle(name, join(PROJECT_ROOT, "src", entry), staging);
      writeFileSync(join(staging, "bin", name), wrapper(name), { mode: 0o755 });
    }
    renameSync(staging, folder);
  } catch (cause) {
    rmSync(staging, { recursive: true, force: true });
    // A second `up` at the same time may have finished first.
    if (!existsSync(folder)) throw cause;
  }
  return { folder, built: true };
}

/** How a program's bundle in the folder `lib` is run. `--smol` keeps the heap small, since a mesh is many small processes. */
export function commandOf(name: ProgramName, bun: string, lib: string): string[] {
  const env = Object.entries(RUN_WITH[name]?.env ?? {}).map(([variable, value]) => `${variable}=${value}`);
  return [...(env.length > 0 ? ["env", ...env] : []), bun, "--smol", `${lib}/${name}.js`];
}

/** What a pod calls: the program's name on the path. */
function wrapper(name: ProgramName): string {
  return `#!/bin/sh\nexec ${commandOf(name, "/opt/chainmail/bin/bun", "/opt/chainmail/lib").join(" ")} "$@"\n`;
}

async function bundle(name: ProgramName, entry: string, target: string): Promise<void> {
  const result = await Bun.build({
    entrypoints: [entry],
    outdir: target,
    target: "bun",
    // The text of a program stays in memory. Names of classes and functions are kept for stack traces.
    minify: { whitespace: true, syntax: true, identifiers: true, keepNames: true },
    naming: { entry: `${name}.js`, chunk: `${name}-[hash].js`, asset: `${name}-[name]-[hash].[ext]` },
    // Bytecode goes with CommonJS, which Bun does not split.
    ...(RUN_WITH[name]?.bytecode ? { format: "cjs", bytecode: true } : { splitting: true }),
    plugins: [lazyProtobuf],
    throw: false,
  });
  if (!result.success) {
    throw new ChainmailError("BUNDLE_FAILED", `${name} could not be bundled: ${result.logs.map(String).join("; ")}`, {
      hint: "npm run generate, then try again",
    });
  }
}

/** Names, sizes and times of all source files and the lock file: enough to notice a change, cheap enough for every `up`. */
function sourceHash(): string {
  const hash = createHash("sha256");
  hash.update(Bun.version);
  const visit = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else {
        const { size, mtimeMs } = statSync(child);
        hash.update(`${child}\0${size}\0${mtimeMs}\n`);
      }
    }
  };
  visit(join(PROJECT_ROOT, "src"));
  hash.update(readFileSync(join(PROJECT_ROOT, "package-lock.json")));
  return hash.digest("hex").slice(0, 16);
}
