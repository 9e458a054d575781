/** The namespaces whose sidecars are our own proxy and Envoy, with equal workloads; and one without sidecars. */
export const OURS = "ours";
export const THEIRS = "theirs";
export const PLAIN = "plain";

const account = (name: string): string => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}\n`;

const CLIENT = `${account("sleep")}---
apiVersion: apps/v1
kind: Deployment
metadata: {name: sleep}
spec:
  selector: {matchLabels: {app: sleep}}
  template:
    metadata: {labels: {app: sleep}, annotations: {proxy.istio.io/config: "drainDuration: 1s"}}
    spec:
      serviceAccountName: sleep
      terminationGracePeriodSeconds: 0
      containers:
      - {name: sleep, image: curlimages/curl, command: [/bin/sleep, 3650d]}
`;

/** One program a port: http, a second http port for port-level rules, and one that the mesh takes for bytes. */
const SERVER = `${account("web")}---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
  - {name: http, port: 8080, targetPort: 8081}
  - {name: http-second, port: 8090, targetPort: 8082}
  - {name: tcp-raw, port: 9000, targetPort: 8083}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, version: v1}, annotations: {proxy.istio.io/config: "drainDuration: 1s"}}
    spec:
      serviceAccountName: web
      terminationGracePeriodSeconds: 0
      containers:
${[8081, 8082, 8083].map((port) => `      - {name: p${port}, image: nicholasjackson/fake-service:v0.7.8, ports: [{containerPort: ${port}}], env: [{name: LISTEN_ADDR, value: "0.0.0.0:${port}"}, {name: NAME, value: "web"}]}`).join("\n")}
`;

/** One namespace's choice of proxy, by Istio's own resource for it. */
const OUR_PROXY = `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: proxy}
spec: {environmentVariables: {CHAINMAIL_PROXY: chainmail}}
`;

/** What to apply before anything else, and what each namespace gets then. */
export const NAMESPACES =
  [OURS, THEIRS].map((name) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {istio-injection: enabled}}\n---\n`).join("") +
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${PLAIN}}\n`;
export const OBJECTS: Record<string, string[]> = {
  [OURS]: [OUR_PROXY, `${CLIENT}---\n${SERVER}`],
  [THEIRS]: [`${CLIENT}---\n${SERVER}`],
  [PLAIN]: [`${CLIENT}---\n${SERVER}`],
};
