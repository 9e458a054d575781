import { type CommandResult, DASHBOARD_COMMAND, DUMP_COMMAND, type Findings, STEPS, WEB_API_FROM_DEFAULT, shortened } from "./steps.ts";
import { resetLab } from "./setup.ts";
import type { Shell } from "./shell.ts";

/** One line of the report. */
export interface StepOutcome {
  number: number;
  title: string;
  problem: string | undefined;
  milliseconds: number;
}

/** What the check found there before and puts back after. */
interface Saved {
  policies: string;
  sleep: boolean;
}

/** A metric takes this long to reach the graph at most (issue: every edge within 5 s). */
const GRAPH_DEADLINE_MS = 8_000;
const GRAPH_POLL_MS = 250;
/** Istio's drain time is 45 s. */
const DRAIN_DEADLINE_MS = 60_000;
const DRAIN_POLL_MS = 1_000;

/**
 * Runs the lab's steps in order and reports each as it ends. Before step 2 it takes the PERMISSIVE dump and proves that
 * plaintext passes, without which step 5 would prove nothing. Whatever it found there is put back, failed or not.
 */
export async function checkLab(shell: Shell, report: (outcome: StepOutcome) => void): Promise<{ passed: number; failed: number }> {
  const count = { passed: 0, failed: 0 };
  const outcome = async (number: number, title: string, work: () => Promise<string | undefined>) => {
    const start = performance.now();
    const problem = await work().catch((thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)));
    count[problem === undefined ? "passed" : "failed"]++;
    report({ number, title, problem, milliseconds: performance.now() - start });
  };
  const saved = await save(shell);
  try {
    await resetLab(shell);
    const findings: Findings = { permissiveDump: "" };
    await outcome(0, "before STRICT, plaintext passes", async () => {
      findings.permissiveDump = (await shell.run(DUMP_COMMAND)).stdout;
      return plaintextPasses(shell);
    });
    for (const step of STEPS) {
      await outcome(step.number, step.title, async () => {
        const result = step.number === 16 ? await settledDump(shell) : await shell.run(shortened(step.command));
        // Step 4's next command needs the pod that it makes: a learner waits for it too.
        if (step.number === 4) await shell.run("kubectl rollout status -n default deploy/sleep --timeout=30s");
        return step.problem(result, findings);
      });
      if (step.number === 7) await outcome(8, "the console's graph", () => dashboard(shell));
    }
  } finally {
    await restore(shell, saved);
  }
  return count;
}

/** A real Envoy shows the listener of before for its drain time; a learner has taken longer than that to get here. */
async function settledDump(shell: Shell): Promise<CommandResult> {
  for (const deadline = Date.now() + DRAIN_DEADLINE_MS; ; await Bun.sleep(DRAIN_POLL_MS)) {
    const result = await shell.run(DUMP_COMMAND);
    if (!result.stdout.includes('"draining_state"') || Date.now() > deadline) return result;
  }
}

async function save(shell: Shell): Promise<Saved> {
  const policies = await shell.run("kubectl get peerauthentication,authorizationpolicy,requestauthentication -A -o json");
  const sleep = await shell.run("kubectl get deploy sleep -n default -o name --ignore-not-found");
  return { policies: policies.stdout, sleep: sleep.stdout !== "" };
}

async function restore(shell: Shell, saved: Saved): Promise<void> {
  await resetLab(shell);
  const { items } = JSON.parse(saved.policies) as { items: { metadata: Record<string, unknown> }[] };
  for (const item of items) {
    for (const field of ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"]) delete item.metadata[field];
    await shell.run(`kubectl create -f - <<'EOF'\n${JSON.stringify(item)}\nEOF`);
  }
  if (saved.sleep) await shell.run("kubectl apply -n default -f sample-apps/sleep.yaml");
}

async function plaintextPasses(shell: Shell): Promise<string | undefined> {
  await shell.run("kubectl apply -n default -f sample-apps/sleep.yaml && kubectl rollout status -n default deploy/sleep --timeout=30s");
  const result = await shell.run(WEB_API_FROM_DEFAULT);
  await shell.run("kubectl delete -n default -f sample-apps/sleep.yaml --wait=true");
  return result.exitCode === 0 && result.stdout.includes('"code": 200') ? undefined : `plaintext was refused before STRICT: ${result.stderr.trim()}`;
}

/** Opens the dashboard as step 8 does and asks it for what a person would look at. */
async function dashboard(shell: Shell): Promise<string | undefined> {
  const tunnel = shell.start(DASHBOARD_COMMAND);
  try {
    const text = await tunnel.firstLines(/skipping opening a browser/, 10_000);
    const url = /^http:\/\/0\.0\.0\.0:\d+\/kiali$/m.exec(text)?.[0]?.replace("0.0.0.0", "127.0.0.1");
    if (!url) return `istioctl dashboard printed: ${text || "(nothing)"}`;
    const page = await fetch(url);
    if (!page.ok || !(await page.text()).includes("<html")) return `${url} answered ${page.status} without a page`;
    const tls = (await (await fetch(`${url}/api/mesh/tls`)).json()) as { status?: unknown };
    if (tls.status !== "MTLS_ENABLED") return `the console says mesh-wide TLS is ${String(tls.status)}`;
    let problem: string | undefined = "the graph is empty";
    for (const deadline = Date.now() + GRAPH_DEADLINE_MS; problem && Date.now() < deadline; await Bun.sleep(GRAPH_POLL_MS))
      problem = graphProblem(await graph(url));
    return problem;
  } finally {
    await tunnel.stop();
  }
}

interface GraphData {
  elements?: {
    nodes?: { data: { id: string; workload?: string; namespace?: string } }[];
    edges?: { data: { source: string; target: string; isMTLS?: string; sourcePrincipal?: string; destPrincipal?: string } }[];
  };
}

async function graph(url: string): Promise<GraphData> {
  const answer = await fetch(
    `${url}/api/namespaces/graph?namespaces=istioinaction&graphType=workload&duration=60s&injectServiceNodes=false&appenders=deadNode,istio,securityPolicy`,
  );
  return (await answer.json()) as GraphData;
}

/** The lab's edges, each with mutual TLS and the identities of both ends. */
function graphProblem(data: GraphData): string | undefined {
  const nodes = new Map(data.elements?.nodes?.map(({ data: node }) => [node.id, node.workload ?? ""]));
  for (const [source, target] of [
    ["istio-ingressgateway", "web-api"],
    ["web-api", "recommendation"],
    ["recommendation", "purchase-history-v1"],
  ] as const) {
    const edge = data.elements?.edges?.find(({ data: e }) => nodes.get(e.source) === source && nodes.get(e.target) === target)?.data;
    if (!edge) return `no edge from ${source} to ${target}`;
    if (edge.isMTLS !== "100") return `the edge from ${source} to ${target} shows mutual TLS for ${edge.isMTLS ?? "none"} of its requests`;
    if (!edge.sourcePrincipal?.startsWith("spiffe://") || !edge.destPrincipal?.startsWith("spiffe://"))
      return `the edge from ${source} to ${target} lacks a SPIFFE principal`;
  }
  return undefined;
}
