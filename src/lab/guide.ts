import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { GATEWAY_HOST } from "./folder.ts";
import { LAB_NAMESPACE } from "./setup.ts";
import { DASHBOARD_COMMAND, DUMP_COMMAND, STEPS } from "./steps.ts";

const WEB_API = `${LAB_NAMESPACE}/web-api`;
const GATEWAY = "istio-system/istio-ingressgateway";
/** A step's load from the page: long enough to be watched on the graph, short enough to wait for. */
const LOAD_REQUESTS = 30;
const LOAD_PAUSE_SECONDS = 0.2;
/** What counts as load: a few stray requests do not. */
const LOAD_AT_LEAST = 10;

interface Page {
  number: number;
  section: string;
  title: string;
  text: string;
  command?: string;
  run?: Record<string, unknown>;
  done: Record<string, unknown>;
}

const STRICT = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "default", namespace: "istio-system" },
  spec: { mtls: { mode: "STRICT" } },
};
const POLICIES = { kind: "table", path: "/apis/security.istio.io/v1/peerauthentications" };
const certificate = (show: string) => ({ kind: "certificate", workload: WEB_API, show });
const shown = (...patterns: string[]) => ({ kind: "shown", patterns });

/** What the console's guide tells of each step, how it does it, and by what it knows that it has been done. */
const pages = (): Page[] => [
  {
    number: 1,
    section: "Permissive mode",
    title: "Look for policies",
    text: "No PeerAuthentication exists yet. Until one says otherwise every sidecar is permissive: it takes mutual TLS and plaintext alike.",
    run: POLICIES,
    done: { kind: "none", resource: "peerauthentications" },
  },
  {
    number: 2,
    section: "Enable strict mTLS",
    title: "Ask for mutual TLS in the whole mesh",
    text: "A policy named default in istio-system counts for every workload. Mode STRICT refuses whatever is not mutual TLS. Watch the padlock at the top of this page when it is applied.",
    run: { kind: "apply", objects: [STRICT] },
    done: { kind: "object", resource: "peerauthentications", namespace: "istio-system", name: "default", field: "spec.mtls.mode", value: "STRICT" },
  },
  {
    number: 3,
    section: "Enable strict mTLS",
    title: "See that the policy is there",
    text: "The list now has one row: namespace istio-system, name default, mode STRICT.",
    run: POLICIES,
    done: shown("^istio-system\\s+default\\s+STRICT\\s"),
  },
  {
    number: 4,
    section: "mTLS in action",
    title: "Run a client outside the mesh",
    text: "The namespace default has no injection, so this sleep gets no sidecar: no identity, no certificate, no mutual TLS.",
    run: { kind: "apply", objects: sleepObjects() },
    done: { kind: "workload", workload: "default/sleep", sidecar: false },
  },
  {
    number: 5,
    section: "mTLS in action",
    title: "Call web-api from there: it is refused",
    text: "curl speaks plaintext, and web-api's proxy closes the connection before the application sees anything: exit code 56. The graph draws the attempt as a red, dashed edge; click it to learn which policy decided.",
    run: { kind: "exec", workload: "default/sleep", container: "sleep", command: ["curl", "-sS", `http://web-api.${LAB_NAMESPACE}:8080/`] },
    done: { kind: "traffic", from: "default/sleep", to: WEB_API, security: "refused", atLeast: 1 },
  },
  {
    number: 6,
    section: "mTLS in action",
    title: "Call it from inside the mesh: it is let in",
    text: "The same command in the sleep that has a sidecar. The application still speaks plain HTTP; its sidecar turns that into mutual TLS, and web-api knows by certificate who calls.",
    run: { kind: "exec", workload: `${LAB_NAMESPACE}/sleep`, container: "sleep", command: ["curl", "-sS", `http://web-api.${LAB_NAMESPACE}:8080/`] },
    done: { kind: "traffic", from: `${LAB_NAMESPACE}/sleep`, to: WEB_API, security: "mutual_tls", atLeast: 1 },
  },
  {
    number: 7,
    section: "See it in the console",
    title: "Send load through the gateway",
    text: `Requests from outside end their TLS at the gateway, which calls web-api with an identity of its own. From this page ${LOAD_REQUESTS} requests are sent by the sleep pod inside the mesh, without a check of the gateway's certificate, since the workshop's authority is known in the lab's folder alone.`,
    run: {
      kind: "exec",
      workload: `${LAB_NAMESPACE}/sleep`,
      container: "sleep",
      command: [
        "sh",
        "-c",
        `for i in $(seq ${LOAD_REQUESTS}); do curl -sk -o /dev/null -w '%{http_code} ' --connect-to ${GATEWAY_HOST}:443:istio-ingressgateway.istio-system:443 https://${GATEWAY_HOST}/; sleep ${LOAD_PAUSE_SECONDS}; done`,
      ],
    },
    done: { kind: "traffic", from: GATEWAY, to: WEB_API, security: "mutual_tls", atLeast: LOAD_AT_LEAST },
  },
  {
    number: 8,
    section: "See it in the console",
    title: "Find a padlock on every connection",
    text: "You are where the command leads to. While there is load, the graph beside these lines has three green edges with closed padlocks: gateway to web-api, to recommendation, to purchase-history. Click one to see the identities of both ends.",
    command: DASHBOARD_COMMAND,
    done: {
      kind: "edges",
      edges: [
        [GATEWAY, WEB_API],
        [WEB_API, `${LAB_NAMESPACE}/recommendation`],
        [`${LAB_NAMESPACE}/recommendation`, `${LAB_NAMESPACE}/purchase-history-v1`],
      ],
    },
  },
  {
    number: 9,
    section: "How it works",
    title: "Look at web-api's certificates",
    text: "The proxy holds two secrets: default is its own certificate chain with a key that never leaves the pod, ROOTCA is what it trusts in others.",
    run: certificate("table"),
    done: shown("^default\\s+Cert Chain\\s+ACTIVE\\s+true\\s", "^ROOTCA\\s+CA\\s+ACTIVE\\s+true\\s"),
  },
  {
    number: 10,
    section: "How it works",
    title: "Who issued it",
    text: "istiod's own authority signed it, in the name of the mesh's trust domain.",
    run: certificate("issuer"),
    done: shown("^Issuer: O ?= ?cluster\\.local$"),
  },
  {
    number: 11,
    section: "How it works",
    title: "How long it is valid",
    text: "One day, with two minutes before for clocks that differ. The agent fetches a new one at half of its life, without a connection lost.",
    run: certificate("validity"),
    done: shown("Not Before: .*\\n\\s*Not After : .*\\n\\(24\\.0\\d hours\\)"),
  },
  {
    number: 12,
    section: "How it works",
    title: "Whose identity it carries",
    text: "The name in it is a SPIFFE URI: trust domain, namespace, service account. Callers check it, and policies name it.",
    run: certificate("names"),
    done: shown(`URI:spiffe://cluster\\.local/ns/${LAB_NAMESPACE}/sa/web-api$`),
  },
  {
    number: 13,
    section: "The SPIFFE format",
    title: "Where the trust domain comes from",
    text: "The mesh's configuration names it; every identity of the mesh begins with it.",
    run: { kind: "object", path: "/api/v1/namespaces/istio-system/configmaps/istio", lines: ["trustDomain"] },
    done: shown("^\\s*trustDomain: cluster\\.local$"),
  },
  {
    number: 14,
    section: "The SPIFFE format",
    title: "Where the service account comes from",
    text: "web-api's manifest makes a ServiceAccount of that name, and its Deployment runs as it.",
    run: { kind: "object", path: `/api/v1/namespaces/${LAB_NAMESPACE}/serviceaccounts/web-api` },
    done: shown("^kind: ServiceAccount$", "^\\s+name: web-api$"),
  },
  {
    number: 15,
    section: "The SPIFFE format",
    title: "How the proxy proves who it is",
    text: "Injection gave the proxy a token for istiod alone (istio-token, audience istio-ca), which it shows when it asks for its certificate, and the root certificates (istiod-ca-cert) by which it knows istiod.",
    command: `kubectl get pod -n ${LAB_NAMESPACE} -l app=web-api -o yaml`,
    run: { kind: "pod", workload: WEB_API, container: "istio-proxy" },
    done: shown("audience: istio-ca", "name: istiod-ca-cert"),
  },
  {
    number: 16,
    section: "Strict mTLS",
    title: "What STRICT has taken away",
    text: "The inbound listener of a permissive proxy has chains for mutual TLS and for plaintext (transport raw_buffer). Under STRICT the latter are gone, so there is nothing that plaintext could match.",
    command: DUMP_COMMAND,
    run: { kind: "listener", workload: WEB_API, listener: "virtualInbound" },
    done: shown("^plaintext chains \\(transport raw_buffer\\): 0$"),
  },
];

/** The workshop's fourth lab as a guide of the console: plain data, which the console reads and checks. */
export function labGuide(): unknown {
  const commands = new Map(STEPS.map(({ number, command }) => [number, command]));
  return {
    id: "secure-communication",
    title: "Securing communication within the mesh",
    about:
      "Sixteen steps from a mesh that takes plaintext to one that refuses it, and what that rests on. Each is marked when the mesh itself shows that it has been done, from this page or from a terminal.",
    needs: { workloads: ["web-api", "recommendation", "purchase-history-v1", "sleep"].map((name) => `${LAB_NAMESPACE}/${name}`), hint: "npm run lab" },
    steps: pages().map((page) => ({ ...page, command: page.command ?? commands.get(page.number) ?? "" })),
  };
}

/** The workshop's sleep manifest, for the namespace outside the mesh. */
function sleepObjects(): unknown[] {
  return parseAllDocuments(readFileSync(join(import.meta.dir, "workshop/sample-apps/sleep.yaml"), "utf8")).map((document) => {
    const object = document.toJS() as { metadata: Record<string, unknown> };
    return { ...object, metadata: { ...object.metadata, namespace: "default" } };
  });
}
