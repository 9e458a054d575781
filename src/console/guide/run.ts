import { stringify } from "yaml";
import {
  DEPLOYMENTS,
  type ExecRequest,
  type ExecResult,
  type GroupVersionResource,
  SERVICES,
  SERVICE_ACCOUNTS,
  type Transport,
  resourcePath,
} from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { ISTIO_KINDS } from "../api/istio-kinds.ts";
import { ApiProblem } from "../api/router.ts";
import type { Istiod } from "../server/istiod.ts";
import type { MeshView } from "../server/mesh-view.ts";
import { type CertificatePart, certificateText, certificatesOf } from "./certificates.ts";
import { podsOf } from "./conditions.ts";
import type { GuideStep, Run } from "./model.ts";
import { listenerText, tableText } from "./print.ts";

/** Whose rights a run may use. */
export interface Runners {
  mesh: MeshView;
  istiod: Istiod;
  /** The API server with the console's own rights: reading. */
  own: Transport;
  /** The same with the rights of who has signed in; undefined while nobody has. */
  user?: { transport: Transport; exec(request: ExecRequest): Promise<ExecResult> };
  /** Unix ms. */
  now: number;
}

export interface RunOutcome {
  output: string;
  exitCode: number;
  /** Whether it showed what the step is about; undefined where that is watched elsewhere. */
  shown: boolean | undefined;
}

/** More than any step prints that is meant to be read. */
const MAX_OUTPUT = 64 << 10;
/** A proxy's secrets are some kilobytes; a mesh's roots and a gateway's certificates add up. */
const MAX_EXEC_BYTES = 4 << 20;
/** A load that one watches takes some seconds; a command that hangs must not hold its connection. */
const EXEC_TIMEOUT_MS = 60_000;
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/** Whether a run changes something or enters a pod, for which the console has no rights of its own. */
export function needsUser(run: Run): boolean {
  return run.kind === "apply" || run.kind === "exec" || run.kind === "certificate";
}

/** Does what a step's command would do. Throws ApiProblem 401 where somebody must sign in first, and the API server's refusals. */
export async function runStep(step: GuideStep, runners: Runners): Promise<RunOutcome> {
  if (!step.run) throw new ApiProblem(404, `step ${step.number} has nothing to run: it is watched`);
  const { output, exitCode } = await execute(step.run, runners);
  const { done } = step;
  const shown = done.kind === "shown" ? exitCode === 0 && done.patterns.every((pattern) => new RegExp(pattern, "m").test(output)) : undefined;
  return { output: output.length > MAX_OUTPUT ? `${output.slice(0, MAX_OUTPUT)}\n…` : output, exitCode, shown };
}

type Printed = Pick<RunOutcome, "output" | "exitCode">;

async function execute(run: Run, runners: Runners): Promise<Printed> {
  const { mesh, istiod, own } = runners;
  switch (run.kind) {
    case "table":
      return printed(tableText(await read(own, run.path, TABLE), !run.path.includes("/namespaces/")));
    case "object": {
      const {
        apiVersion,
        kind,
        metadata: { managedFields: _, annotations, ...metadata },
        ...rest
      } = (await read(own, run.path)) as KubeObject;
      const { "kubectl.kubernetes.io/last-applied-configuration": __, ...others } = annotations ?? {};
      const text = stringify(
        { apiVersion, kind, metadata: { ...metadata, ...(Object.keys(others).length > 0 && { annotations: others }) }, ...rest },
        { lineWidth: 0 },
      );
      return printed(
        run.lines
          ? `${text
              .split("\n")
              .filter((line) => run.lines!.some((word) => line.includes(word)))
              .join("\n")}\n`
          : text,
      );
    }
    case "pod": {
      type Container = { name: string; volumeMounts?: unknown[] };
      const { metadata } = firstPod(mesh, run.workload);
      const { spec } = (await read(own, resourcePath({ group: "", version: "v1", resource: "pods" }, metadata.namespace, metadata.name))) as KubeObject<{
        containers?: Container[];
        initContainers?: Container[];
        volumes?: unknown[];
      }>;
      const container = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(({ name }) => name === run.container);
      if (!container) throw new ApiProblem(404, `${metadata.name} has no container ${run.container}`);
      return printed(stringify({ volumeMounts: container.volumeMounts ?? [], volumes: spec?.volumes ?? [] }, { lineWidth: 0 }));
    }
    case "listener":
      return printed(listenerText(await istiod.configDump(proxyName(mesh, run.workload)), run.listener));
    case "apply":
      return printed(
        (await inOrder(run.objects, async (object) => `${await apply(object, signedIn(runners).transport)}${await appliedText(object, runners)}`)).join(""),
      );
    case "exec": {
      const { metadata } = firstPod(mesh, run.workload);
      const { stdout, stderr, exitCode } = await signedIn(runners).exec({
        namespace: metadata.namespace ?? "",
        pod: metadata.name,
        container: run.container,
        command: run.command,
        maxBytes: MAX_EXEC_BYTES,
        timeoutMs: EXEC_TIMEOUT_MS,
      });
      return { output: `${stdout}${stderr}${exitCode === 0 ? "" : `command terminated with exit code ${exitCode}\n`}`, exitCode };
    }
    case "certificate": {
      const { metadata } = firstPod(mesh, run.workload);
      const { stdout, stderr, exitCode } = await signedIn(runners).exec({
        namespace: metadata.namespace ?? "",
        pod: metadata.name,
        container: "istio-proxy",
        maxBytes: MAX_EXEC_BYTES,
        timeoutMs: EXEC_TIMEOUT_MS,
        command: ["pilot-agent", "request", "GET", "config_dump?resource=dynamic_active_secrets"],
      });
      return exitCode === 0 ? printed(certificateText(certificatesOf(stdout), run.show as CertificatePart, runners.now)) : { output: stderr, exitCode };
    }
  }
}

function printed(output: string): Printed {
  return { output, exitCode: 0 };
}

function signedIn({ user }: Runners): NonNullable<Runners["user"]> {
  if (!user) throw new ApiProblem(401, "Sign in first: this is done with your own rights");
  return user;
}

async function read(transport: Transport, path: string, accept = "application/json"): Promise<unknown> {
  const answer = await transport(path, { headers: { accept } });
  const body = (await answer.json().catch(() => ({}))) as { message?: string };
  if (!answer.ok) throw new ApiProblem(answer.status, body.message ?? `the API server answered ${answer.status}`);
  return body;
}

/** Kinds that a guide may apply. */
const APPLICABLE: Record<string, GroupVersionResource> = {
  ServiceAccount: SERVICE_ACCOUNTS,
  Service: SERVICES,
  Deployment: DEPLOYMENTS,
  ...Object.fromEntries(ISTIO_KINDS.map(({ kind, resource }) => [kind, resource])),
};

/** Server-side apply, as the console's editor does it; says what became of it as kubectl does. */
async function apply(object: KubeObject, transport: Transport): Promise<string> {
  const known = APPLICABLE[object.kind];
  if (!known) throw new ApiProblem(400, `a guide applies no ${object.kind}`);
  const { namespace, name } = object.metadata;
  const answer = await transport(`${resourcePath(known, namespace, name)}?fieldManager=chainmail-console&force=true`, {
    method: "PATCH",
    body: JSON.stringify(object),
    headers: { "content-type": "application/apply-patch+yaml" },
  });
  const body = (await answer.json().catch(() => ({}))) as { message?: string };
  if (!answer.ok) throw new ApiProblem(answer.status, body.message ?? `the API server answered ${answer.status}`);
  return `${object.kind.toLowerCase()}${known.group ? `.${known.group}` : ""}/${name} ${answer.status === 201 ? "created" : "configured"}\n`;
}

/** Proxies take a change within milliseconds: one that does not is told of as waited for. */
const APPLIED_EVERY_MS = 100;
const APPLIED_TRIES = 20;
/** istiod may run on another machine, whose clock differs. */
const CLOCKS_MS = 1_000;

/** On how many proxies one of Istio's objects is in force now; nothing for other kinds, and where istiod does not tell. */
async function appliedText({ kind, metadata }: KubeObject, { istiod, now }: Runners): Promise<string> {
  if (!ISTIO_KINDS.some((known) => known.kind === kind)) return "";
  for (let tries = 0; tries < APPLIED_TRIES; tries++) {
    const [change] = await istiod.changes(`${kind}/${metadata.namespace}/${metadata.name}`).catch(() => []);
    // An older change of the same object is not this one's.
    if (change && change.at >= now - CLOCKS_MS && change.waiting === 0)
      return `applied on ${change.applied + change.unaffected} of ${change.proxies} proxies${change.milliseconds === undefined ? "" : ` in ${change.milliseconds} ms`}\n`;
    await new Promise((resolve) => setTimeout(resolve, APPLIED_EVERY_MS));
  }
  return "";
}

async function inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

function firstPod(mesh: MeshView, workload: string) {
  const pods = podsOf(mesh, workload);
  const pod = pods.find(({ status }) => status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True")) ?? pods[0];
  if (!pod) throw new ApiProblem(404, `no pod of ${workload} runs: was an earlier step left out?`);
  return pod;
}

function proxyName(mesh: MeshView, workload: string): string {
  const { metadata } = firstPod(mesh, workload);
  return `${metadata.name}.${metadata.namespace}`;
}
