/** The commands of the workshop's fourth lab, as its text has them, and what each must show. */

/** How one command ended. */
export interface CommandResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** What earlier parts of a run found out and later ones compare with. */
export interface Findings {
  /** Output of step 16's command while the mesh was PERMISSIVE. */
  permissiveDump: string;
}

export interface Step {
  number: number;
  title: string;
  command: string;
  /** Undefined when the output shows what it must; else what is wrong with it. */
  problem(result: CommandResult, findings: Findings): string | undefined;
}

const CERTIFICATE = `istioctl proxy-config secret deploy/web-api -n istioinaction -o json | jq '[.dynamicActiveSecrets[] | select(.name == "default")][0].secret.tlsCertificate.certificateChain.inlineBytes' -r | base64 -d | openssl x509 -noout -text`;

export const DUMP_COMMAND = "istioctl proxy-config all deploy/web-api -n istioinaction -o json";

export const WEB_API_FROM_DEFAULT = "kubectl exec deploy/sleep -n default -- curl http://web-api.istioinaction:8080/";

/** Rounds and pause of step 7's loop in a check: enough for a graph, short enough to wait for. */
const CHECK_ROUNDS = 5;
const CHECK_PAUSE_SECONDS = 0.2;

const LOAD_LOOP = `for i in {1..200};
  do curl --cacert ./labs/02/certs/ca/root-ca.crt -H "Host: istioinaction.io" https://istioinaction.io:$SECURE_INGRESS_PORT  --resolve istioinaction.io:$SECURE_INGRESS_PORT:$GATEWAY_IP;
  sleep 3;
done`;

export const STEPS: Step[] = [
  {
    number: 1,
    title: "no PeerAuthentication yet",
    command: "kubectl get peerauthentication --all-namespaces",
    problem: (r) => expectText(r, `${r.stdout}${r.stderr}`, /^No resources found$/m),
  },
  {
    number: 2,
    title: "mesh-wide STRICT applied",
    command: `kubectl apply -n istio-system -f - <<EOF
apiVersion: "security.istio.io/v1beta1"
kind: "PeerAuthentication"
metadata:
 name: "default"
spec:
 mtls:
   mode: STRICT
EOF`,
    problem: (r) => expectText(r, r.stdout, /^peerauthentication\.security\.istio\.io\/default created$/m),
  },
  {
    number: 3,
    title: "the policy is listed",
    command: "kubectl get peerauthentication --all-namespaces",
    problem: (r) => expectText(r, r.stdout, /^NAMESPACE\s+NAME\s+MODE\s+AGE\nistio-system\s+default\s+STRICT\s+\d+\w+\n$/),
  },
  {
    number: 4,
    title: "sleep deployed outside the mesh",
    command: "kubectl apply -n default -f sample-apps/sleep.yaml",
    problem: (r) => expectText(r, r.stdout, /^deployment\.apps\/sleep created$/m),
  },
  {
    number: 5,
    title: "plaintext is refused",
    command: WEB_API_FROM_DEFAULT,
    problem: (r) => {
      if (r.exitCode !== 56) return `exit code ${r.exitCode}, not curl's 56: ${tail(r)}`;
      if (!/^curl: \(56\) Recv failure: Connection reset by peer$/m.test(r.stderr)) return `curl said something else: ${tail(r)}`;
      return /^command terminated with exit code 56$/m.test(r.stderr) ? undefined : "kubectl did not report exit code 56";
    },
  },
  {
    number: 6,
    title: "mutual TLS is let in",
    command: "kubectl exec deploy/sleep -n istioinaction -- curl http://web-api.istioinaction:8080/",
    problem: (r) => threeServices(r, r.stdout),
  },
  {
    number: 7,
    title: "load through the gateway",
    command: LOAD_LOOP,
    problem: (r) => {
      const answers = r.stdout.match(/^ {2}"code": 200$/gm)?.length ?? 0;
      return answers === CHECK_ROUNDS ? undefined : `${answers} of ${CHECK_ROUNDS} requests answered 200: ${tail(r)}`;
    },
  },
  {
    number: 9,
    title: "key and certificates of web-api",
    command: "istioctl proxy-config secret deploy/web-api -n istioinaction",
    problem: (r) =>
      expectText(r, r.stdout, /^RESOURCE NAME\s+TYPE\s+STATUS\s+VALID CERT\s+SERIAL NUMBER\s+NOT AFTER\s+NOT BEFORE/) ??
      expectText(r, r.stdout, /^default\s+Cert Chain\s+ACTIVE\s+true\s+[0-9a-f]{32}\s/m) ??
      expectText(r, r.stdout, /^ROOTCA\s+CA\s+ACTIVE\s+true\s+[0-9a-f]{32}\s/m),
  },
  {
    number: 10,
    title: "issued by the mesh's authority",
    command: `${CERTIFICATE} | grep 'Issuer'`,
    problem: (r) => expectText(r, r.stdout, /^\s*Issuer: O ?= ?cluster\.local$/m),
  },
  {
    number: 11,
    title: "valid for 24 hours",
    command: `${CERTIFICATE} | grep 'Validity' -A 2`,
    problem: (r) => {
      const from = Date.parse(/Not Before: (.*)/.exec(r.stdout)?.[1] ?? "");
      const to = Date.parse(/Not After : (.*)/.exec(r.stdout)?.[1] ?? "");
      // Two minutes of tolerance for clocks are added before the day begins.
      const hours = (to - from) / 3_600_000;
      return hours >= 24 && hours < 24.1 ? undefined : `validity is ${hours} hours: ${tail(r)}`;
    },
  },
  {
    number: 12,
    title: "the SPIFFE identity of web-api",
    command: `${CERTIFICATE} | grep 'Subject Alternative Name' -A 1`,
    problem: (r) => expectText(r, r.stdout, /X509v3 Subject Alternative Name: critical\n\s+URI:spiffe:\/\/cluster\.local\/ns\/istioinaction\/sa\/web-api\n/),
  },
  {
    number: 13,
    title: "the trust domain",
    command: "kubectl get cm istio -n istio-system -o yaml | grep trustDomain -m 1",
    problem: (r) => expectText(r, r.stdout, /^ {4}trustDomain: cluster\.local\n$/),
  },
  {
    number: 14,
    title: "the service account of web-api",
    command: "cat sample-apps/web-api.yaml | grep ServiceAccount -A 3",
    problem: (r) => expectText(r, r.stdout, /^kind: ServiceAccount\nmetadata:\n {2}name: web-api\n---\n$/),
  },
  {
    number: 15,
    title: "the proxy's volumes",
    // The text only shows what to recall; this reads the same fields.
    command: "kubectl get pod -n istioinaction -l app=web-api -o json",
    problem: (r) => proxyVolumes(r),
  },
  {
    number: 16,
    title: "no plaintext chain is left",
    command: DUMP_COMMAND,
    problem: (r, findings) => {
      const [before, after] = [lines(findings.permissiveDump), lines(r.stdout)];
      if (after >= before) return `the dump has ${after} lines, not fewer than ${before} before STRICT`;
      const [plainBefore, plainAfter] = [inboundPlaintextChains(findings.permissiveDump), inboundPlaintextChains(r.stdout)];
      if (plainBefore === 0) return "the PERMISSIVE dump showed no plaintext chain, so the comparison proves nothing";
      return plainAfter === 0 ? undefined : `${plainAfter} plaintext chains are left on virtualInbound`;
    },
  },
];

/** Step 8's command blocks in a second terminal; the check starts and ends it. */
export const DASHBOARD_COMMAND = "istioctl dashboard kiali --browser=false --address 0.0.0.0";

/** The command with step 7's loop cut to what a check needs. */
export function shortened(command: string): string {
  return command.replace("{1..200}", `{1..${CHECK_ROUNDS}}`).replace("sleep 3;", `sleep ${CHECK_PAUSE_SECONDS};`);
}

function expectText(result: CommandResult, text: string, pattern: RegExp): string | undefined {
  return pattern.test(text) ? undefined : `expected ${pattern}, got: ${tail(result)}`;
}

function tail(result: CommandResult): string {
  return `${result.stdout.slice(-300)}${result.stderr.slice(-300)}`.trim() || "(nothing)";
}

function lines(text: string): number {
  return text.split("\n").length;
}

function threeServices(result: CommandResult, text: string): string | undefined {
  const answer = parse(text);
  const names: unknown[] = [];
  for (let at = answer; typeof at === "object" && at !== null;) {
    const { name, code, upstream_calls } = at as { name?: unknown; code?: unknown; upstream_calls?: unknown };
    if (code !== 200) return `${String(name)} answered ${String(code)}`;
    names.push(name);
    at = Array.isArray(upstream_calls) ? upstream_calls[0] : undefined;
  }
  const chain = names.join(" > ");
  return chain === "web-api > recommendation > purchase-history-v1" ? undefined : `the chain of services is "${chain}": ${tail(result)}`;
}

/** Mounts that step 15 of the text lists, without the token volume whose name is made up for each pod. */
const PROXY_MOUNTS: Record<string, string> = {
  "istiod-ca-cert": "/var/run/secrets/istio",
  "istio-data": "/var/lib/istio/data",
  "istio-envoy": "/etc/istio/proxy",
  "istio-token": "/var/run/secrets/tokens",
  "istio-podinfo": "/etc/istio/pod",
};

function proxyVolumes(result: CommandResult): string | undefined {
  type Named = { name?: string };
  type Container = Named & { volumeMounts?: (Named & { mountPath?: string })[] };
  type Volume = Named & { projected?: { sources?: { serviceAccountToken?: unknown }[] }; configMap?: unknown };
  const list = parse(result.stdout) as { items?: { spec?: { containers?: Container[]; initContainers?: Container[]; volumes?: Volume[] } }[] } | undefined;
  const spec = list?.items?.[0]?.spec;
  const proxy = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].find((c) => c.name === "istio-proxy");
  if (!proxy) return "web-api has no istio-proxy container";
  for (const [name, path] of Object.entries(PROXY_MOUNTS)) {
    if (!proxy.volumeMounts?.some((m) => m.name === name && m.mountPath === path)) return `${name} is not mounted at ${path}`;
  }
  if (!proxy.volumeMounts?.some((m) => m.mountPath === "/var/run/secrets/kubernetes.io/serviceaccount")) return "the service account token is not mounted";
  const token = JSON.stringify(spec?.volumes?.find((v) => v.name === "istio-token")?.projected?.sources?.[0]?.serviceAccountToken);
  if (token !== '{"audience":"istio-ca","expirationSeconds":43200,"path":"istio-token"}') return `istio-token is ${token}`;
  return spec?.volumes?.some((v) => v.name === "istiod-ca-cert" && v.configMap) ? undefined : "istiod-ca-cert is not a ConfigMap volume";
}

/** Filter chains of virtualInbound that take plain text, counted in an Envoy config_dump. */
export function inboundPlaintextChains(dump: string): number {
  type Chain = { filter_chain_match?: { transport_protocol?: string } };
  type Entry = { name?: string; active_state?: { listener?: { filter_chains?: Chain[] } } };
  const parsed = parse(dump) as { configs?: { dynamic_listeners?: Entry[] }[] } | undefined;
  const listeners = parsed?.configs?.flatMap((config) => config.dynamic_listeners ?? []) ?? [];
  const inbound = listeners.find((listener) => listener.name === "virtualInbound");
  return inbound?.active_state?.listener?.filter_chains?.filter((c) => c.filter_chain_match?.transport_protocol === "raw_buffer").length ?? 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
