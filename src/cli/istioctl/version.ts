import { Command } from "commander";
import { ChainmailError, VERSION } from "../../base/index.ts";
import { PODS } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { openKube, type KubeAccess, type PodRef } from "./kube-access.ts";
import { printValue } from "./proxy-config/messages.ts";

export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly golang_version: string;
  readonly status: string;
  readonly tag: string;
}

export interface MeshVersions {
  readonly control: readonly { readonly Component: string; readonly Revision: string; readonly Info: BuildInfo }[];
  readonly data: readonly { readonly ID: string; readonly IstioVersion: string; readonly Type: string }[];
}

interface VersionOptions {
  readonly output?: string;
  readonly short: boolean;
  readonly remote: boolean;
  readonly revision?: string;
}

const MONITORING_PORT = 15014;
const CLIENT: BuildInfo = { version: VERSION, revision: "unknown", golang_version: `bun${Bun.version}`, status: "Clean", tag: VERSION };

/** `istioctl version`: the client's, the control plane's and the proxies' versions. */
export function versionCommand(): Command {
  const command = withGlobals(new Command("version"))
    .description("Versions of the client, the control plane and the proxies")
    .option("-o, --output <string>", "json or yaml")
    .option("-s, --short", "version numbers only; --short=false for all build information")
    .option("--no-short", "all build information")
    .option("--remote", "ask the cluster; --remote=false for this program only")
    .option("--no-remote", "this program only")
    .option("-r, --revision <string>", "revision of the control plane");
  // These are on without being named.
  command.setOptionValue("short", true).setOptionValue("remote", true);
  return command.action(async (options: VersionOptions) => {
    const { output } = options;
    if (output !== undefined && output !== "json" && output !== "yaml") throw new ChainmailError("USAGE", `--output must be 'yaml' or 'json'`);
    let mesh: MeshVersions | undefined;
    if (options.remote) {
      try {
        mesh = await meshVersions(await openKube(globalsOf(command)), options.revision);
      } catch (error) {
        // The client's own version is worth printing even where there is no cluster.
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
    process.stdout.write(output === undefined ? versionText(mesh, options.short) : printValue(versionValue(mesh), output, "  "));
  });
}

/** Pods of istiod that run, with their revision. */
export async function istiodPods(kube: KubeAccess, revision?: string, label = "app=istiod"): Promise<KubeObject[]> {
  const labelSelector = revision === undefined ? label : `${label},istio.io/rev=${revision}`;
  const { items } = await kube.client.list(PODS, { namespace: kube.istioNamespace, labelSelector, fieldSelector: "status.phase=Running" });
  if (items.length === 0)
    throw new ChainmailError(
      "ISTIOD_MISSING",
      `Istio is not present in the cluster: no running Istio pods in namespace ${JSON.stringify(kube.istioNamespace)}`,
    );
  return items;
}

export function podRef(pod: KubeObject): PodRef {
  return { name: pod.metadata.name, namespace: pod.metadata.namespace ?? "" };
}

export async function meshVersions(kube: KubeAccess, revision?: string): Promise<MeshVersions> {
  const pods = await istiodPods(kube, revision);
  const control = await Promise.all(
    pods.map(async (pod) => ({
      Component: "pilot",
      Revision: pod.metadata.labels?.["istio.io/rev"] ?? "default",
      Info: parseBuild((await kube.request(podRef(pod), MONITORING_PORT, "GET", "/version")).body.trim()),
    })),
  );
  const data = new Map<string, MeshVersions["data"][number]>();
  for (const pod of pods) {
    const statuses: unknown = JSON.parse((await kube.request(podRef(pod), MONITORING_PORT, "GET", "/debug/syncz")).body);
    for (const status of Array.isArray(statuses) ? (statuses as Record<string, unknown>[]) : []) {
      const id = String(status.proxy ?? "");
      data.set(id, {
        ID: id,
        IstioVersion: String(status.istio_version ?? ""),
        Type: status.proxy_type === "router" ? "gateway" : String(status.proxy_type ?? "sidecar"),
      });
    }
  }
  return { control, data: [...data.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1)) };
}

/** `version-revision-status`, where the version may hold dashes. */
export function parseBuild(text: string): BuildInfo {
  const parts = text.split("-");
  if (parts.length < 3) return { version: text, revision: "unknown", golang_version: "", status: "unknown", tag: "unknown" };
  return {
    version: parts.slice(0, -2).join("-"),
    revision: parts.at(-2) ?? "",
    golang_version: "",
    status: parts.at(-1) ?? "",
    tag: parts.slice(0, -2).join("-"),
  };
}

export function versionText(mesh: MeshVersions | undefined, short: boolean, client: BuildInfo = CLIENT): string {
  const build = (info: BuildInfo): string =>
    short
      ? info.version
      : `version.BuildInfo{Version:${JSON.stringify(info.version)}, GitRevision:${JSON.stringify(info.revision)}, GolangVersion:${JSON.stringify(info.golang_version)}, BuildStatus:${JSON.stringify(info.status)}, GitTag:${JSON.stringify(info.tag)}}`;
  const lines = [`client version: ${build(client)}`];
  if (mesh) {
    const versions = new Set(mesh.control.map(({ Info }) => Info.version));
    if (versions.size === 1 && short) lines.push(`control plane version: ${[...versions].join("")}`);
    else
      for (const { Component, Info, Revision } of mesh.control)
        lines.push(mesh.control.length === 1 ? `control plane version: ${build(Info)}` : `${Component} version: ${build(Info)} (${Revision})`);
    lines.push(`data plane version: ${dataPlaneText(mesh)}`);
  }
  return `${lines.join("\n")}\n`;
}

function dataPlaneText({ data }: MeshVersions): string {
  const counts = new Map<string, number>();
  for (const { IstioVersion } of data) counts.set(IstioVersion, (counts.get(IstioVersion) ?? 0) + 1);
  if (counts.size === 0) return "none";
  return [...counts].map(([version, count]) => `${version} (${count} ${count === 1 ? "proxy" : "proxies"})`).join(", ");
}

export function versionValue(mesh: MeshVersions | undefined, client: BuildInfo = CLIENT): object {
  return { clientVersion: client, ...(mesh && { meshVersion: mesh.control, ...(mesh.data.length > 0 && { dataPlaneVersion: mesh.data }) }) };
}
