import { readFileSync, writeFileSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { parseTemplates, parseValues, type InjectionContext } from "../../../controlplane/injection/index.ts";
import { parseMeshConfig } from "../../../controlplane/registry/index.ts";
import { CONFIG_MAPS, PROXY_CONFIGS } from "../../../kube/index.ts";
import { fileError } from "../format/file-error.ts";
import type { GlobalOptions } from "../globals.ts";
import { listOrEmpty, openKube, type KubeAccess } from "../kube-access.ts";
import { injectDocuments, type FileContext } from "./kube-inject.ts";

export interface KubeInjectOptions {
  readonly filename?: string;
  readonly output?: string;
  readonly meshConfigFile?: string;
  readonly meshConfigMapName: string;
  readonly valuesFile?: string;
  readonly injectConfigFile?: string;
  readonly injectConfigMapName: string;
  readonly revision?: string;
}

/** From this minor version on Kubernetes takes native sidecars for granted. */
const NATIVE_SIDECARS_FROM = 33;

export async function runKubeInject(options: KubeInjectOptions, globals: GlobalOptions): Promise<void> {
  const { filename = "-", output, meshConfigFile, valuesFile } = options;
  // With both from files no cluster is needed.
  const kube = meshConfigFile !== undefined && valuesFile !== undefined ? undefined : await openKube(globals);
  const skipped: string[] = [];
  const context = { ...(await contextOf(options, kube)), skipped: (reason: string) => void skipped.push(reason) };
  const text = injectDocuments(read(filename === "-" ? 0 : filename, filename), kube?.namespace ?? globals.namespace ?? "default", context);
  if (skipped.length > 0) process.stderr.write(`\n${skipped.map((reason) => `${reason}\n`).join("")}`);
  if (output === undefined || output === "") process.stdout.write(text);
  else writeFileSync(output, text);
}

async function contextOf(
  { meshConfigFile, meshConfigMapName, valuesFile, injectConfigFile, injectConfigMapName, revision }: KubeInjectOptions,
  kube: KubeAccess | undefined,
): Promise<FileContext> {
  const suffix = revision === undefined || revision === "" || revision === "default" ? "" : `-${revision}`;
  const mesh = meshConfigFile === undefined ? await dataOf(kube, `${meshConfigMapName}${suffix}`, "mesh") : read(meshConfigFile, meshConfigFile);
  const values = valuesFile === undefined ? await dataOf(kube, `${injectConfigMapName}${suffix}`, "values") : read(valuesFile, valuesFile);
  const config =
    injectConfigFile === undefined ? await optionalData(kube, `${injectConfigMapName}${suffix}`, "config") : read(injectConfigFile, injectConfigFile);
  return {
    mesh: parseMeshConfig(mesh),
    values: parseValues(values),
    // Files always get the template "sidecar": what the webhook does by default is another matter.
    templates: { ...parseTemplates(values, config), defaultTemplates: ["sidecar"], aliases: {} },
    proxyConfigs: kube ? ((await listOrEmpty(kube.client, PROXY_CONFIGS)) as InjectionContext["proxyConfigs"][number][]) : [],
    // With templates from a file Istio's looks at no cluster, and goes by what it is told.
    nativeSidecars: injectConfigFile === undefined ? await takesNativeSidecars(kube) : process.env.ENABLE_NATIVE_SIDECARS === "true",
    // Without templates of its own Istio's asks the webhook, which is told of pods alone.
    anonymous: injectConfigFile === undefined,
  };
}

/** Templates are built in: a ConfigMap need not have any. */
async function optionalData(kube: KubeAccess | undefined, name: string, key: string): Promise<string> {
  const found = await kube?.client.find(CONFIG_MAPS, name, kube.istioNamespace);
  return (found?.data as Record<string, string> | undefined)?.[key] ?? "";
}

async function dataOf(kube: KubeAccess | undefined, name: string, key: string): Promise<string> {
  const found = await kube?.client.find(CONFIG_MAPS, name, kube.istioNamespace);
  const text = (found?.data as Record<string, string> | undefined)?.[key];
  if (text !== undefined) return text;
  const reason = found
    ? `missing configuration map key ${JSON.stringify(key)} in ${JSON.stringify(name)}`
    : `could not find valid configmap ${JSON.stringify(name)} from namespace ${JSON.stringify(kube?.istioNamespace ?? "")}`;
  throw new ChainmailError("INJECTION_CONFIG_MISSING", `${reason}: use --meshConfigFile and --valuesFile, or -i with the namespace of the control plane`);
}

async function takesNativeSidecars(kube: KubeAccess | undefined): Promise<boolean> {
  if (!kube) return true;
  const response = await kube.client.transport("/version", { headers: { accept: "application/json" } });
  const { minor = "" } = response.ok ? ((await response.json()) as { minor?: string }) : {};
  return Number.parseInt(minor, 10) >= NATIVE_SIDECARS_FROM;
}

function read(path: string | number, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ChainmailError("FILE_UNREADABLE", fileError(name, cause), { cause });
  }
}
