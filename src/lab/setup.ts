import { ChainmailError } from "../base/index.ts";
import { GATEWAY_HOST } from "./folder.ts";
import type { Shell } from "./shell.ts";

/** The namespace that the workshop's services live in. */
export const LAB_NAMESPACE = "istioinaction";

const SAMPLE_APPS = ["web-api", "recommendation", "purchase-history-v1", "sleep"].map((name) => `-f sample-apps/${name}.yaml`).join(" ");

/**
 * Does what a learner did in labs 1 to 3: the namespace with injection on, the sample services in the mesh, and the
 * gateway with TLS. Runs on the real kubectl, so that every object looks as if the learner had applied it. Idempotent.
 */
export async function layDownEarlierLabs(shell: Shell, say: (text: string) => void): Promise<void> {
  const commands = [
    `kubectl create namespace ${LAB_NAMESPACE} --dry-run=client -o yaml | kubectl apply -f -`,
    `kubectl label namespace ${LAB_NAMESPACE} istio-injection=enabled --overwrite`,
    `kubectl create secret tls istioinaction-cert -n istio-system --cert labs/02/certs/${GATEWAY_HOST}.crt --key labs/02/certs/${GATEWAY_HOST}.key --dry-run=client -o yaml | kubectl apply -f -`,
    `kubectl apply -n ${LAB_NAMESPACE} ${SAMPLE_APPS} -f labs/02/web-api-gw-https.yaml -f sample-apps/ingress/web-api-gw-vs.yaml`,
  ];
  say("laying down what the workshop's labs 1 to 3 did");
  for (const command of commands) await must(shell, command);
}

/** Waits until every pod of the lab is Ready. */
export async function waitForLab(shell: Shell): Promise<void> {
  await must(
    shell,
    `for d in web-api recommendation purchase-history-v1 sleep; do kubectl rollout status -n ${LAB_NAMESPACE} deploy/$d --timeout=60s || exit 1; done`,
  );
}

/** Takes back what lab 4 adds: the policies and the sleep service in the default namespace. */
export async function resetLab(shell: Shell): Promise<void> {
  await must(
    shell,
    [
      "kubectl delete peerauthentication,authorizationpolicy,requestauthentication --all --all-namespaces --ignore-not-found >/dev/null",
      "kubectl delete -n default -f sample-apps/sleep.yaml --ignore-not-found --wait=true >/dev/null",
    ].join(" && "),
  );
}

async function must(shell: Shell, command: string): Promise<void> {
  const result = await shell.run(command);
  if (result.exitCode === 0) return;
  throw new ChainmailError("LAB_COMMAND_FAILED", `\`${command}\` failed: ${(result.stderr || result.stdout).trim()}`, { hint: "chainmail status" });
}
