import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ChainmailError, errorText, VERSION } from "../../../base/index.ts";
import { SYSTEM_NAMESPACES } from "../../../controlplane/injection/index.ts";
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  EVENTS,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  resourcePath,
  SERVICE_ACCOUNTS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type GroupVersionResource,
} from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { ANALYZERS, analyze, findingsText } from "../analyze/analyze.ts";
import { clusterMesh, clusterObjects } from "../analyze/load.ts";
import { World } from "../analyze/world.ts";
import { parseGoDuration } from "../format/go-duration.ts";
import { goYaml } from "../format/go-yaml.ts";
import type { GlobalOptions } from "../globals.ts";
import { listOrEmpty, openKube, type KubeAccess, type PodRef } from "../kube-access.ts";
import { meshVersions, versionText } from "../version.ts";
import { tarGz, type ArchiveFile } from "./archive.ts";
import { redacted } from "./redact.ts";
import { parseFilter, selects } from "./selection.ts";

export interface BugReportOptions {
  readonly include?: string[];
  readonly exclude?: string[];
  readonly istioNamespace: string;
  readonly outputDir?: string;
  readonly startTime?: string;
  readonly endTime?: string;
  readonly rqConcurrency?: number;
  readonly dir?: string;
  readonly dryRun: boolean;
  readonly duration?: string;
  readonly tail: string;
  readonly proxyAdminPort: string;
  readonly skipAnalyze: boolean;
  readonly skipClusterDump: boolean;
  readonly skipProxyDebug: boolean;
  readonly fullSecrets: boolean;
  readonly timeout: string;
}

const ARCHIVE = "bug-report.tar.gz";
const MONITORING_PORT = 15014;
const ISTIOD_PAGES = [
  "version",
  "metrics",
  "debug/syncz",
  "debug/registryz",
  "debug/endpointz",
  "debug/configz",
  "debug/instancesz",
  "debug/mesh",
  "debug/clusterz",
  "debug/inject",
];
/** A config_dump has no private keys: proxies redact them. */
const PROXY_PAGES = ["server_info", "config_dump?include_eds=true", "clusters", "listeners", "certs", "memory", "runtime", "stats/prometheus"];
/** Kinds beside those that analyze reads. */
const MORE_KINDS: readonly (readonly [name: string, resource: GroupVersionResource])[] = [
  ["replicasets", REPLICA_SETS],
  ["serviceaccounts", SERVICE_ACCOUNTS],
  ["configmaps", CONFIG_MAPS],
];

const out = (text: string): void => void process.stdout.write(text);

export async function runBugReport(options: BugReportOptions, globals: GlobalOptions): Promise<void> {
  if (options.fullSecrets)
    throw new ChainmailError("SECRETS_REFUSED", "the contents of Secrets do not go into an archive that is meant for others", {
      hint: "leave out --full-secrets; kubectl get secret shows them to those who may see them",
    });
  if (options.startTime !== undefined && options.duration !== undefined) throw new ChainmailError("USAGE", "only one --start-time or --duration may be set");
  for (const time of [options.startTime, options.endTime])
    if (time !== undefined && Number.isNaN(Date.parse(time))) throw new ChainmailError("USAGE", `${JSON.stringify(time)} is no time: 2006-01-02T15:04:05Z is`);
  const deadline = Date.now() + parseGoDuration(options.timeout, "--timeout");
  const kube = await openKube({ ...globals, istioNamespace: options.istioNamespace });
  const include = (options.include ?? []).map(parseFilter);
  const exclude = (options.exclude ?? [[...SYSTEM_NAMESPACES].join(",")]).map(parseFilter);
  const pods = (await kube.client.list(PODS)).items.map((pod) => ({ ...pod, kind: "Pod" }));
  const istiods = pods.filter(({ metadata }) => metadata.namespace === kube.istioNamespace && metadata.labels?.app === "istiod");
  const proxies = pods.filter((pod) => hasProxy(pod) && selects(pod, include, exclude));
  out(
    `\nRunning with the following config: \n\nistio-namespace: ${kube.istioNamespace}\ninclude: ${(options.include ?? ["everything"]).join(" ")}\nexclude: ${(options.exclude ?? [...SYSTEM_NAMESPACES]).join(" ")}\n\n`,
  );
  out(`Proxies: ${proxies.length === 0 ? "none" : proxies.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(", ")}\n\n`);

  const tasks: Task[] = [
    { path: "versions.txt", get: async () => versionText(await meshVersions(kube), false) },
    ...(options.skipClusterDump ? [] : clusterTasks(kube)),
    ...(options.skipAnalyze ? [] : [{ path: "analyze.txt", get: () => analysis(kube) }]),
    ...istiods.flatMap((pod) => [
      ...logTasks(kube, pod, "discovery", `istiod/${pod.metadata.name}`, options),
      ...pageTasks(kube, pod, MONITORING_PORT, ISTIOD_PAGES, `istiod/${pod.metadata.name}`),
    ]),
    ...proxies.flatMap((pod) => {
      const folder = `proxies/${pod.metadata.namespace}/${pod.metadata.name}`;
      return [
        ...logTasks(kube, pod, "istio-proxy", folder, options),
        ...(options.skipProxyDebug ? [] : pageTasks(kube, pod, Number(options.proxyAdminPort), PROXY_PAGES, folder)),
      ];
    }),
  ];
  if (options.dryRun) return out(tasks.map(({ path }) => `Would fetch ${path}\n`).join(""));
  const files = await collectFiles(tasks, deadline, options.rqConcurrency || CONCURRENCY);
  if (options.dir !== undefined) for (const { path, content } of files) save(join(options.dir, path), content);
  const archive = join(options.outputDir ?? ".", ARCHIVE);
  writeFileSync(archive, tarGz(files, Date.now()), { mode: 0o600 });
  out(`Creating an archive at ${archive}.\nDone: ${files.length} files.\n`);
}

/** One file of the archive and how it comes about. */
interface Task {
  readonly path: string;
  get(): Promise<string>;
}

/** As many questions at a time as Istio's has by default. */
const CONCURRENCY = 32;

/** A page that cannot be had is part of the picture: its error stands in its place. */
async function collectFiles(tasks: readonly Task[], deadline: number, width: number): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [{ path: "bug-report/client.txt", content: `istioctl ${VERSION} of Chainmail\n${new Date().toISOString()}\n` }];
  for (let start = 0; start < tasks.length; start += width) {
    if (Date.now() > deadline) {
      files.push({ path: "bug-report/timeout.txt", content: `nothing was fetched from ${tasks[start]?.path} on: the time was over\n` });
      break;
    }
    const fetched = tasks.slice(start, start + width).map(async ({ path, get }) => ({
      path: `bug-report/${path}`,
      content: await get().catch((error: unknown) => `could not be fetched: ${errorText(error)}\n`),
    }));
    files.push(...(await Promise.all(fetched)));
  }
  return files;
}

function clusterTasks(kube: KubeAccess): Task[] {
  const list = (path: string, get: () => Promise<KubeObject[]>): Task => ({ path: `cluster/${path}.yaml`, get: async () => documents(await get()) });
  return [
    { path: "cluster/kubernetes-version.json", get: async () => (await kube.client.transport("/version", { headers: { accept: "application/json" } })).text() },
    list("nodes", () => listOrEmpty(kube.client, NODES)),
    list("namespaces", () => listOrEmpty(kube.client, NAMESPACES)),
    list("events", () => listOrEmpty(kube.client, EVENTS)),
    list("deployments", () => listOrEmpty(kube.client, DEPLOYMENTS)),
    list("mutatingwebhookconfigurations", () => listOrEmpty(kube.client, MUTATING_WEBHOOK_CONFIGURATIONS)),
    list("validatingwebhookconfigurations", () => listOrEmpty(kube.client, VALIDATING_WEBHOOK_CONFIGURATIONS)),
    list("mesh-resources", () => clusterObjects(kube)),
    ...MORE_KINDS.map(([name, resource]) => list(name, () => listOrEmpty(kube.client, resource, name === "configmaps" ? kube.istioNamespace : undefined))),
  ];
}

function documents(objects: readonly KubeObject[]): string {
  return objects.map((object) => `${goYaml(redacted(object))}\n`).join("---\n");
}

async function analysis(kube: KubeAccess): Promise<string> {
  const world = new World(await clusterObjects(kube), { istioNamespace: kube.istioNamespace, ...(await clusterMesh(kube, "default")) });
  return findingsText(
    analyze(world, ANALYZERS, () => true),
    { format: "log" },
  );
}

function logTasks(kube: KubeAccess, pod: KubeObject, container: string, folder: string, { duration, tail, startTime, endTime }: BugReportOptions): Task[] {
  const query = new URLSearchParams({ container, timestamps: "true" });
  if (duration !== undefined) query.set("sinceSeconds", String(Math.ceil(parseGoDuration(duration, "--duration") / 1000)));
  if (startTime !== undefined) query.set("sinceTime", new Date(startTime).toISOString());
  if (Number(tail) > 0) query.set("tailLines", tail);
  return [
    {
      path: `${folder}/${container}.log`,
      async get() {
        const response = await kube.client.transport(`${resourcePath(PODS, pod.metadata.namespace, pod.metadata.name, "log")}?${query}`);
        if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
        const log = await response.text();
        return endTime === undefined ? log : before(log, Date.parse(endTime));
      },
    },
  ];
}

/** The lines of a log up to a time; each begins with its own. */
function before(log: string, end: number): string {
  return log
    .split("\n")
    .filter((line) => line === "" || !(Date.parse(line.split(" ", 1)[0] ?? "") > end))
    .join("\n");
}

function pageTasks(kube: KubeAccess, { metadata }: KubeObject, port: number, pages: readonly string[], folder: string): Task[] {
  const pod: PodRef = { name: metadata.name, namespace: metadata.namespace ?? "" };
  return pages.map((page) => ({
    path: `${folder}/${page.replace(/\?.*/, "").replaceAll("/", "-")}`,
    get: async () => (await kube.request(pod, port, "GET", page)).body,
  }));
}

function hasProxy({ spec }: KubeObject): boolean {
  const { containers = [], initContainers = [] } = (spec ?? {}) as { containers?: { name: string }[]; initContainers?: { name: string }[] };
  return [...containers, ...initContainers].some(({ name }) => name === "istio-proxy");
}

function save(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, content, { mode: 0o600 });
}
