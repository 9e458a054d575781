import { ChainmailError } from "../../../base/index.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, NAMESPACES, PODS, SERVICES, resourcePath, type GroupVersionResource } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { analyze, atLeast, DOCUMENTATION, findingsText, isLevel } from "../analyze/analyze.ts";
import { alphaAnnotations } from "../analyze/annotations.ts";
import { levelOf, type Finding, type Level } from "../analyze/findings.ts";
import { namespaceOf, World } from "../analyze/world.ts";
import type { GlobalOptions } from "../globals.ts";
import { openKube, type KubeAccess } from "../kube-access.ts";
import { CommandParseError } from "../line/errors.ts";
import { list, object, text } from "../proxy-config/dump.ts";

export interface PrecheckOptions {
  readonly fromVersion?: string;
  readonly output: string;
  readonly outputThreshold: string;
  readonly skipControlplane: boolean;
}

/** Istio's oldest Kubernetes 1.x, whose rules Chainmail's definitions are written for. */
const MIN_MINOR = 32;
/** Until this version proxies sent traces to a service named zipkin, if there was one. */
const LAST_WITH_ZIPKIN = 21;

const out = (line: string): void => void process.stdout.write(line);
const err = (line: string): void => void process.stderr.write(line);

/** Returns the exit code. */
export async function runPrecheck(options: PrecheckOptions, globals: GlobalOptions): Promise<number> {
  const { output } = options;
  if (output !== "log" && output !== "json" && output !== "yaml")
    throw new ChainmailError("USAGE", `invalid format, expected one of [log json yaml] but got ${JSON.stringify(output)}`);
  const threshold = parseLevel(options.outputThreshold);
  const kube = await openKube(globals);
  const findings = [
    ...(options.skipControlplane ? [] : await clusterFindings(kube, globals.namespace)),
    ...(options.fromVersion === undefined ? [] : await changesSince(kube, options.fromVersion)),
  ];
  const ordered = analyze(new World([], kube), [{ name: "precheck", description: "", needs: [], run: () => findings }], () => true);
  const shown = ordered.filter(({ code }) => atLeast(levelOf(code), threshold));
  if (shown.length === 0)
    err(
      "\u2714 No issues found when checking the cluster. Istio is safe to install or upgrade!\n  To get started, check out https://istio.io/latest/docs/setup/getting-started/.\n",
    );
  else out(findingsText(shown, { format: output, color: output === "log" }));
  if (!ordered.some(({ code }) => atLeast(levelOf(code), "Warning"))) return 0;
  err(
    `Error: Issues found when checking the cluster. Istio may not be safe to install or upgrade.\nSee ${DOCUMENTATION} for more information about causes and resolutions.\n`,
  );
  return 1;
}

/** What findings that are about no object of the cluster are about. */
const CLUSTER = { apiVersion: "", kind: "Cluster", metadata: { name: "" } } as KubeObject;

/** What stands in the way in the cluster as it is; annotations only of `namespace`, where one is given. */
export async function clusterFindings(kube: KubeAccess, namespace: string | undefined): Promise<Finding[]> {
  return [
    ...(await versionFindings(kube)),
    ...(await permissionFindings(kube)),
    ...(await gatewayApiFindings(kube)),
    ...(await annotationFindings(kube, namespace)),
  ];
}

async function versionFindings({ client }: KubeAccess): Promise<Finding[]> {
  const response = await client.transport("/version", { headers: { accept: "application/json" } });
  if (!response.ok) throw new ChainmailError("API_UNREACHABLE", `failed to get the Kubernetes version: ${response.status} ${response.statusText}`);
  const { gitVersion = "", minor = "" } = (await response.json()) as { gitVersion?: string; minor?: string };
  if (Number.parseInt(minor, 10) >= MIN_MINOR) return [];
  return [
    { code: "IST0142", about: CLUSTER, message: `The Kubernetes Version ${JSON.stringify(gitVersion)} is lower than the minimum version: 1.${MIN_MINOR}` },
  ];
}

/** What an installation creates: in the control plane's namespace, or for the whole cluster. */
const CREATED: readonly { group: string; resource: string; namespaced: boolean }[] = [
  { group: "", resource: "namespaces", namespaced: false },
  { group: "rbac.authorization.k8s.io", resource: "clusterroles", namespaced: false },
  { group: "rbac.authorization.k8s.io", resource: "clusterrolebindings", namespaced: false },
  { group: "apiextensions.k8s.io", resource: "customresourcedefinitions", namespaced: false },
  { group: "rbac.authorization.k8s.io", resource: "roles", namespaced: true },
  { group: "", resource: "serviceaccounts", namespaced: true },
  { group: "", resource: "services", namespaced: true },
  { group: "apps", resource: "deployments", namespaced: true },
  { group: "", resource: "configmaps", namespaced: true },
  { group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations", namespaced: false },
  { group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations", namespaced: false },
];

const ACCESS_REVIEWS: GroupVersionResource = { group: "authorization.k8s.io", version: "v1", resource: "selfsubjectaccessreviews" };

async function permissionFindings({ client, istioNamespace }: KubeAccess): Promise<Finding[]> {
  const answers = await Promise.all(
    CREATED.map(async ({ group, resource, namespaced }): Promise<Finding[]> => {
      const review = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: { ...(namespaced && { namespace: istioNamespace }), verb: "create", group, version: "v1", resource } },
      };
      const response = await client.transport(resourcePath(ACCESS_REVIEWS), {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(review),
      });
      const { status, message } = (await response.json()) as { status?: unknown; message?: string };
      const { allowed, reason } = object(status);
      if (response.ok && allowed === true) return [];
      const why = response.ok ? text(reason) || "permission denied" : (message ?? response.statusText);
      return [{ code: "IST0141", about: CLUSTER, message: `Missing required permission to create resource ${resource} (${why})` }];
    }),
  );
  return answers.flat();
}

const STABLE_KINDS = new Set(["Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute"]);
const BETA_KINDS = new Set(["Gateway", "GatewayClass", "HTTPRoute", "ReferenceGrant"]);

async function gatewayApiFindings({ client }: KubeAccess): Promise<Finding[]> {
  const { items } = await client.list(CUSTOM_RESOURCE_DEFINITIONS);
  return items.flatMap((item): Finding[] => {
    const { group, names, versions } = object(item.spec);
    if (group !== "gateway.networking.k8s.io") return [];
    const about = { ...item, kind: "CustomResourceDefinition" };
    const served = list(versions)
      .filter((version) => version.served === true)
      .map(({ name }) => text(name))
      .sort();
    const kind = text(object(names).kind);
    const low = (code: string, minimum: string): Finding => ({
      code,
      about,
      message: `The Gateway API CRD version ${served.join(",") || "none"} is lower than the minimum version: ${minimum}`,
    });
    return [
      ...(BETA_KINDS.has(kind) && !served.includes("v1beta1") ? [low("IST0156", "v1beta1")] : []),
      ...(STABLE_KINDS.has(kind) && !served.includes("v1") ? [low("IST0172", "v1")] : []),
    ];
  });
}

async function annotationFindings(kube: KubeAccess, namespace: string | undefined): Promise<Finding[]> {
  const kinds = [
    ["Namespace", NAMESPACES],
    ["Service", SERVICES],
    ["Pod", PODS],
    ["Deployment", DEPLOYMENTS],
  ] as const;
  const objects = await Promise.all(kinds.map(async ([kind, resource]) => (await kube.client.list(resource)).items.map((item) => ({ ...item, kind }))));
  const inScope = ({ about }: Finding): boolean =>
    namespace === undefined || (about.kind === "Namespace" ? about.metadata.name : namespaceOf(about)) === namespace;
  return alphaAnnotations.run(new World(objects.flat(), kube)).filter(inScope);
}

/** What has changed since `version`, such as 1.20, and matters here. */
export async function changesSince({ client }: KubeAccess, version: string): Promise<Finding[]> {
  const [major = "", minor, ...rest] = version.split(".");
  if (minor === undefined) throw new ChainmailError("USAGE", `invalid version ${version}, expected format like '1.0'`);
  if (major !== "1") throw new ChainmailError("USAGE", `expected major version 1, got ${version}`);
  if (!/^\d+$/.test(minor) || rest.length > 0) throw new ChainmailError("USAGE", `minor version is not a number: ${[minor, ...rest].join(".")}`);
  if (Number(minor) > LAST_WITH_ZIPKIN) return [];
  const about = await client.find(SERVICES, "zipkin", "istio-system");
  if (!about) return [];
  const change =
    "tracing is no longer by default enabled to send to 'zipkin.istio-system.svc'; follow https://istio.io/latest/docs/tasks/observability/distributed-tracing/telemetry-api/";
  return [
    {
      code: "IST0169",
      about: { ...about, kind: "Service" },
      message: `The configuration "meshConfig.defaultConfig.tracer" changed in release 1.21: ${change}. Or, install with \`--set compatibilityVersion=1.21\` to retain the old default.`,
    },
  ];
}

function parseLevel(name: string): Level {
  const level = `${name.slice(0, 1).toUpperCase()}${name.slice(1).toLowerCase()}`;
  if (!isLevel(level)) throw new CommandParseError(`invalid argument ${JSON.stringify(name)} for "--output-threshold" flag: invalid level option`);
  return level;
}
