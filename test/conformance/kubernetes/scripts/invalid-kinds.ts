import type { Script } from "../types.ts";
import { cluster, configMap, deployment, ns, object, post, script, service, template } from "./dsl.ts";

type Case = [title: string, path: string, body: object];

const APPS = (kind: string, spec: object): object =>
  object("apps/v1", kind, "x", { spec: { selector: { matchLabels: { app: "a" } }, template: template(), ...spec } });
const D = ns("apps/v1/deployments");
const job = (spec: object): object => object("batch/v1", "Job", "x", { spec: { template: template({ restartPolicy: "Never" }), ...spec } });
const J = ns("batch/v1/jobs");
const cron = (spec: object): object =>
  object("batch/v1", "CronJob", "x", { spec: { schedule: "* * * * *", jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } }, ...spec } });
const C = ns("batch/v1/cronjobs");
const hpa = (spec: object): object =>
  object("autoscaling/v2", "HorizontalPodAutoscaler", "x", {
    spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" }, ...spec },
  });
const H = ns("autoscaling/v2/horizontalpodautoscalers");
const pdb = (spec: object): object => object("policy/v1", "PodDisruptionBudget", "x", { spec: { selector: { matchLabels: { a: "b" } }, ...spec } });
const P = ns("policy/v1/poddisruptionbudgets");
const claim = (spec: object): object =>
  object("v1", "PersistentVolumeClaim", "x", { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec } });
const V = ns("persistentvolumeclaims");
const volume = (spec: object): object =>
  object("v1", "PersistentVolume", "invalid-x", { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/x" }, ...spec } });
const PV = cluster("persistentvolumes");
const ingress = (spec: object): object => object("networking.k8s.io/v1", "Ingress", "x", { spec });
const I = ns("networking.k8s.io/v1/ingresses");
const backend = { service: { name: "s", port: { number: 80 } } };
const path = (more: object): object => ingress({ rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend, ...more }] } }] });
const policy = (spec: object): object => object("networking.k8s.io/v1", "NetworkPolicy", "x", { spec: { podSelector: {}, ...spec } });
const N = ns("networking.k8s.io/v1/networkpolicies");
const role = (rule: object): object => object("rbac.authorization.k8s.io/v1", "Role", "x", { rules: [rule] });
const R = ns("rbac.authorization.k8s.io/v1/roles");
const binding = (more: object): object =>
  object("rbac.authorization.k8s.io/v1", "RoleBinding", "x", { roleRef: { kind: "Role", name: "r" }, subjects: [], ...more });
const B = ns("rbac.authorization.k8s.io/v1/rolebindings");
const slice = (more: object): object => object("discovery.k8s.io/v1", "EndpointSlice", "x", { addressType: "IPv4", endpoints: [], ...more });
const E = ns("discovery.k8s.io/v1/endpointslices");
const hook = (more: object): object =>
  object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "invalid-x", {
    webhooks: [
      {
        name: "a.e.io",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        clientConfig: { service: { name: "s", namespace: "n" } },
        rules: [{ apiGroups: ["e.io"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["x"] }],
        ...more,
      },
    ],
  });
const W = cluster("admissionregistration.k8s.io/v1/validatingwebhookconfigurations");
const S = ns("services");
const secret = (more: object): object => object("v1", "Secret", "x", more);
const CM = ns("configmaps");
const EP = ns("endpoints");

const cases: Case[] = [
  ["config map: bad key", CM, configMap("x", { "a b": "1" })],
  ["config map: dots", CM, configMap("x", { "..": "1", "..a": "2" })],
  ["config map: key in both", CM, { ...configMap("x", { a: "1" }), binaryData: { a: "AAAA" } }],
  ["secret: bad key", ns("secrets"), secret({ data: { "a b": "" } })],
  ["secret: tls without a key", ns("secrets"), secret({ type: "kubernetes.io/tls", data: { "tls.crt": "" } })],
  ["secret: tls without anything", ns("secrets"), secret({ type: "kubernetes.io/tls" })],
  ["secret: no docker configuration", ns("secrets"), secret({ type: "kubernetes.io/dockerconfigjson" })],
  ["secret: bad docker configuration", ns("secrets"), secret({ type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "eA==" } })],
  ["secret: no basic authentication", ns("secrets"), secret({ type: "kubernetes.io/basic-auth" })],
  ["secret: no ssh key", ns("secrets"), secret({ type: "kubernetes.io/ssh-auth" })],
  ["secret: token of nobody", ns("secrets"), secret({ type: "kubernetes.io/service-account-token" })],
  ["service account: bad secret", ns("serviceaccounts"), object("v1", "ServiceAccount", "A_")],
  ["service: no ports", S, service("x", { ports: null })],
  ["service: bad name", S, service("1x")],
  ["service: dotted name", S, service("a.b")],
  ["service: port beyond", S, service("x", { ports: [{ port: 70000 }] })],
  ["service: no port", S, service("x", { ports: [{ name: "a" }] })],
  ["service: several without names", S, service("x", { ports: [{ port: 80 }, { port: 81 }] })],
  [
    "service: two of a name",
    S,
    service("x", {
      ports: [
        { port: 80, name: "a" },
        { port: 81, name: "a" },
      ],
    }),
  ],
  [
    "service: two of a port",
    S,
    service("x", {
      ports: [
        { port: 80, name: "a" },
        { port: 80, name: "b" },
      ],
    }),
  ],
  ["service: unknown protocol", S, service("x", { ports: [{ port: 80, protocol: "ICMP" }] })],
  ["service: bad target", S, service("x", { ports: [{ port: 80, targetPort: "Bad_Name" }] })],
  ["service: target beyond", S, service("x", { ports: [{ port: 80, targetPort: 70000 }] })],
  ["service: bad port name", S, service("x", { ports: [{ port: 80, name: "A_" }] })],
  ["service: bad app protocol", S, service("x", { ports: [{ port: 80, appProtocol: "a b" }] })],
  ["service: unknown type", S, service("x", { type: "Nope" })],
  ["service: unknown affinity", S, service("x", { sessionAffinity: "Nope" })],
  ["service: affinity of no time", S, service("x", { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } })],
  ["service: bad selector", S, service("x", { selector: { "a b": "c" } })],
  ["service: external name without one", S, service("x", { type: "ExternalName", ports: null })],
  ["service: bad external name", S, service("x", { type: "ExternalName", externalName: "A_b", ports: null })],
  ["service: external name with an address", S, service("x", { type: "ExternalName", externalName: "a.b", clusterIP: "10.96.3.3", ports: null })],
  ["service: headless load balancer", S, service("x", { type: "LoadBalancer", clusterIP: "None" })],
  ["service: bad external address", S, service("x", { externalIPs: ["x"] })],
  ["service: loopback for an external address", S, service("x", { externalIPs: ["127.0.0.1"] })],
  ["service: unknown traffic policy", S, service("x", { internalTrafficPolicy: "Nope" })],
  ["service: external traffic policy of a cluster address", S, service("x", { externalTrafficPolicy: "Local" })],
  ["service: unknown external traffic policy", S, service("x", { type: "NodePort", externalTrafficPolicy: "Nope" })],
  ["service: source ranges of a cluster address", S, service("x", { loadBalancerSourceRanges: ["10.0.0.0/8"] })],
  ["service: bad source range", S, service("x", { type: "LoadBalancer", loadBalancerSourceRanges: ["nonsense"] })],
  ["service: class of a cluster address", S, service("x", { loadBalancerClass: "e.io/c" })],
  ["service: allocation of a cluster address", S, service("x", { allocateLoadBalancerNodePorts: false })],
  ["service: health port of a cluster address", S, service("x", { healthCheckNodePort: 31000 })],
  ["endpoints: loopback", EP, object("v1", "Endpoints", "x", { subsets: [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ port: 80 }] }] })],
  ["endpoints: nonsense", EP, object("v1", "Endpoints", "x", { subsets: [{ addresses: [{ ip: "x" }], ports: [{ port: 0 }] }] })],
  ["endpoints: nothing", EP, object("v1", "Endpoints", "x", { subsets: [{}] })],
  [
    "endpoints: ports without names",
    EP,
    object("v1", "Endpoints", "x", { subsets: [{ addresses: [{ ip: "10.1.1.1" }], ports: [{ port: 80 }, { port: 81 }] }] }),
  ],
  ["slice: unknown type", E, slice({ addressType: "Nope" })],
  ["slice: no type", E, slice({ addressType: "" })],
  ["slice: loopback", E, slice({ endpoints: [{ addresses: ["127.0.0.1"] }] })],
  ["slice: link-local", E, slice({ endpoints: [{ addresses: ["169.254.1.1"] }] })],
  ["slice: multicast", E, slice({ endpoints: [{ addresses: ["224.0.0.1"] }] })],
  ["slice: unspecified", E, slice({ endpoints: [{ addresses: ["0.0.0.0"] }] })],
  ["slice: nonsense", E, slice({ endpoints: [{ addresses: ["x"] }] })],
  ["slice: the other family", E, slice({ endpoints: [{ addresses: ["fd00::1"] }] })],
  ["slice: no addresses", E, slice({ endpoints: [{ addresses: [] }] })],
  ["slice: bad host name", E, slice({ endpoints: [{ addresses: ["10.1.1.1"], hostname: "A_" }] })],
  ["slice: unknown protocol", E, slice({ ports: [{ port: 80, protocol: "ICMP" }] })],
  [
    "slice: two ports of a name",
    E,
    slice({
      ports: [
        { port: 80, name: "a" },
        { port: 81, name: "a" },
      ],
    }),
  ],
  ["slice: bad port name", E, slice({ ports: [{ port: 80, name: "A_" }] })],
  ["slice: port beyond", E, slice({ ports: [{ port: 70000 }] })],
  ["deployment: negative replicas", D, deployment("x", { replicas: -1 })],
  ["deployment: no selector", D, deployment("x", { selector: null })],
  ["deployment: empty selector", D, deployment("x", { selector: {} })],
  ["deployment: another selector", D, deployment("x", { selector: { matchLabels: { app: "b" } } })],
  [
    "deployment: bad selector",
    D,
    deployment("x", {
      selector: {
        matchLabels: { app: "a" },
        matchExpressions: [
          { key: "x", operator: "In" },
          { key: "a b", operator: "Nope" },
          { key: "y", operator: "Exists", values: ["z"] },
        ],
      },
    }),
  ],
  ["deployment: no template", D, deployment("x", { template: null })],
  ["deployment: unknown strategy", D, deployment("x", { strategy: { type: "Nope" } })],
  ["deployment: recreates and rolls", D, deployment("x", { strategy: { type: "Recreate", rollingUpdate: { maxSurge: 1 } } })],
  ["deployment: nothing may change", D, deployment("x", { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } })],
  ["deployment: bad amounts", D, deployment("x", { strategy: { rollingUpdate: { maxSurge: "x", maxUnavailable: "120%" } } })],
  ["deployment: negative amounts", D, deployment("x", { strategy: { rollingUpdate: { maxSurge: -1, maxUnavailable: -1 } } })],
  ["deployment: negative times", D, deployment("x", { minReadySeconds: -1, revisionHistoryLimit: -1, progressDeadlineSeconds: -1 })],
  ["deployment: deadline before readiness", D, deployment("x", { minReadySeconds: 10, progressDeadlineSeconds: 5 })],
  ["deployment: never restarts", D, deployment("x", { template: template({ restartPolicy: "Never" }) })],
  ["deployment: deadline of pods", D, deployment("x", { template: template({ activeDeadlineSeconds: 5 }) })],
  ["deployment: no containers", D, deployment("x", { template: template({ containers: [] }) })],
  [
    "deployment: bad template labels",
    D,
    deployment("x", { template: { metadata: { labels: { app: "a", x: "-b-" } }, spec: { containers: [{ name: "c", image: "i:1" }] } } }),
  ],
  ["replica set: negative", ns("apps/v1/replicasets"), APPS("ReplicaSet", { replicas: -1, minReadySeconds: -1 })],
  ["replica set: another selector", ns("apps/v1/replicasets"), APPS("ReplicaSet", { selector: { matchLabels: { app: "b" } } })],
  ["replica set: empty selector", ns("apps/v1/replicasets"), APPS("ReplicaSet", { selector: {} })],
  ["replica set: never restarts", ns("apps/v1/replicasets"), APPS("ReplicaSet", { template: template({ restartPolicy: "OnFailure" }) })],
  ["daemon set: unknown strategy", ns("apps/v1/daemonsets"), APPS("DaemonSet", { updateStrategy: { type: "Nope" } })],
  ["daemon set: nothing may change", ns("apps/v1/daemonsets"), APPS("DaemonSet", { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } })],
  ["daemon set: both", ns("apps/v1/daemonsets"), APPS("DaemonSet", { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } })],
  ["daemon set: another selector", ns("apps/v1/daemonsets"), APPS("DaemonSet", { selector: { matchLabels: { app: "b" } } })],
  ["daemon set: negative", ns("apps/v1/daemonsets"), APPS("DaemonSet", { minReadySeconds: -1, revisionHistoryLimit: -1 })],
  ["stateful set: unknown policies", ns("apps/v1/statefulsets"), APPS("StatefulSet", { podManagementPolicy: "Nope", updateStrategy: { type: "Nope" } })],
  ["stateful set: negative", ns("apps/v1/statefulsets"), APPS("StatefulSet", { replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1 })],
  [
    "stateful set: partition of no rolling update",
    ns("apps/v1/statefulsets"),
    APPS("StatefulSet", { updateStrategy: { type: "OnDelete", rollingUpdate: { partition: 1 } } }),
  ],
  ["stateful set: negative partition", ns("apps/v1/statefulsets"), APPS("StatefulSet", { updateStrategy: { rollingUpdate: { partition: -1 } } })],
  ["stateful set: negative start", ns("apps/v1/statefulsets"), APPS("StatefulSet", { ordinals: { start: -1 } })],
  [
    "stateful set: unknown retention",
    ns("apps/v1/statefulsets"),
    APPS("StatefulSet", { persistentVolumeClaimRetentionPolicy: { whenDeleted: "Nope", whenScaled: "Nope" } }),
  ],
  ["stateful set: another selector", ns("apps/v1/statefulsets"), APPS("StatefulSet", { selector: { matchLabels: { app: "b" } } })],
  ["stateful set: no containers", ns("apps/v1/statefulsets"), APPS("StatefulSet", { template: template({ containers: [] }) })],
  ["stateful set: bad service", ns("apps/v1/statefulsets"), APPS("StatefulSet", { serviceName: "A_" })],
  [
    "replication controller: another selector",
    ns("replicationcontrollers"),
    object("v1", "ReplicationController", "x", { spec: { selector: { app: "b" }, template: template() } }),
  ],
  [
    "replication controller: negative",
    ns("replicationcontrollers"),
    object("v1", "ReplicationController", "x", { spec: { replicas: -1, minReadySeconds: -1, selector: { app: "a" }, template: template() } }),
  ],
  [
    "replication controller: no selector",
    ns("replicationcontrollers"),
    object("v1", "ReplicationController", "x", { spec: { template: { spec: { containers: [{ name: "c", image: "i:1" }] } } } }),
  ],
  ["job: negative", J, job({ parallelism: -1, completions: -1, backoffLimit: -1, activeDeadlineSeconds: -1, ttlSecondsAfterFinished: -1 })],
  ["job: restarts always", J, job({ template: template({ restartPolicy: "Always" }) })],
  ["job: no restart policy", J, job({ template: template() })],
  ["job: selector of its own", J, job({ selector: { matchLabels: { a: "b" } } })],
  ["job: unknown mode", J, job({ completionMode: "Nope" })],
  ["job: index without completions", J, job({ completionMode: "Indexed", parallelism: 1 })],
  ["job: too many in parallel", J, job({ completionMode: "Indexed", completions: 1, parallelism: 100_001 })],
  ["job: limit by index without one", J, job({ backoffLimitPerIndex: 1 })],
  ["job: bad failure policy", J, job({ podFailurePolicy: { rules: [{ action: "Nope" }] } })],
  [
    "job: failure policy with restarts",
    J,
    job({
      template: template({ restartPolicy: "OnFailure" }),
      podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "X", status: "True" }] }] },
    }),
  ],
  ["job: exit codes twice", J, job({ podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [1, 1] } }] } })],
  ["job: success of nothing", J, job({ successPolicy: { rules: [] } })],
  ["job: unknown replacement", J, job({ podReplacementPolicy: "Nope" })],
  ["job: bad manager", J, job({ managedBy: "x" })],
  ["cron job: no schedule", C, cron({ schedule: "" })],
  ["cron job: bad schedule", C, cron({ schedule: "* * *" })],
  ["cron job: nonsense schedule", C, cron({ schedule: "a b c d e" })],
  ["cron job: schedule beyond", C, cron({ schedule: "61 * * * *" })],
  ["cron job: zone in the schedule", C, cron({ schedule: "TZ=UTC * * * * *" })],
  ["cron job: unknown zone", C, cron({ timeZone: "Nowhere/At_All" })],
  ["cron job: unknown policy", C, cron({ concurrencyPolicy: "Nope" })],
  ["cron job: negative", C, cron({ startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: -1 })],
  [
    "cron job: long name",
    C,
    object("batch/v1", "CronJob", "x".repeat(53), {
      spec: { schedule: "* * * * *", jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } } },
    }),
  ],
  ["cron job: restarts always", C, cron({ jobTemplate: { spec: { template: template() } } })],
  ["autoscaler: no maximum", H, hpa({ maxReplicas: 0 })],
  ["autoscaler: minimum over maximum", H, hpa({ minReplicas: 5 })],
  ["autoscaler: negative minimum", H, hpa({ minReplicas: -1 })],
  ["autoscaler: no target", H, hpa({ scaleTargetRef: { apiVersion: "apps/v1", kind: "", name: "" } })],
  ["autoscaler: bad target", H, hpa({ scaleTargetRef: { apiVersion: "apps/v1", kind: "a/b", name: "a/b" } })],
  ["autoscaler: unknown metric", H, hpa({ metrics: [{ type: "Nope" }] })],
  ["autoscaler: metric without a source", H, hpa({ metrics: [{ type: "Resource" }] })],
  ["autoscaler: metric without a target", H, hpa({ metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization" } } }] })],
  [
    "autoscaler: metric of no name",
    H,
    hpa({ metrics: [{ type: "Pods", pods: { metric: { name: "" }, target: { type: "AverageValue", averageValue: "1" } } }] }),
  ],
  ["autoscaler: unknown target type", H, hpa({ metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Nope", averageUtilization: 50 } } }] })],
  [
    "autoscaler: negative utilization",
    H,
    hpa({ metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: -1 } } }] }),
  ],
  [
    "autoscaler: bad behaviour",
    H,
    hpa({ behavior: { scaleUp: { selectPolicy: "Nope", stabilizationWindowSeconds: -1, policies: [{ type: "Nope", value: 0, periodSeconds: 0 }] } } }),
  ],
  ["disruption budget: both", P, pdb({ minAvailable: 1, maxUnavailable: 1 })],
  ["disruption budget: bad amount", P, pdb({ minAvailable: "x" })],
  ["disruption budget: negative", P, pdb({ minAvailable: -1 })],
  ["disruption budget: over all", P, pdb({ maxUnavailable: "120%" })],
  ["disruption budget: bad selector", P, pdb({ minAvailable: 1, selector: { matchLabels: { "a b": "c" } } })],
  ["disruption budget: unknown policy", P, pdb({ minAvailable: 1, unhealthyPodEvictionPolicy: "Nope" })],
  ["claim: no modes", V, claim({ accessModes: [] })],
  ["claim: unknown mode", V, claim({ accessModes: ["Nope"] })],
  ["claim: modes that exclude others", V, claim({ accessModes: ["ReadWriteOncePod", "ReadWriteOnce"] })],
  ["claim: no storage", V, claim({ resources: {} })],
  ["claim: zero storage", V, claim({ resources: { requests: { storage: "0" } } })],
  ["claim: unknown volume mode", V, claim({ volumeMode: "Nope" })],
  ["claim: bad class", V, claim({ storageClassName: "A_" })],
  ["claim: bad selector", V, claim({ selector: { matchLabels: { "a b": "c" } } })],
  ["volume: no modes", PV, volume({ accessModes: [] })],
  ["volume: unknown mode", PV, volume({ accessModes: ["Nope"] })],
  ["volume: no capacity", PV, volume({ capacity: {} })],
  ["volume: zero capacity", PV, volume({ capacity: { storage: "0" } })],
  ["volume: several capacities", PV, volume({ capacity: { storage: "1Gi", x: "1" } })],
  ["volume: no source", PV, volume({ hostPath: null })],
  ["volume: two sources", PV, volume({ nfs: { server: "s", path: "/p" } })],
  ["volume: unknown reclaim policy", PV, volume({ persistentVolumeReclaimPolicy: "Nope" })],
  ["volume: unknown volume mode", PV, volume({ volumeMode: "Nope" })],
  ["volume: local without a node", PV, volume({ hostPath: null, local: { path: "/x" } })],
  ["volume: recycled root", PV, volume({ persistentVolumeReclaimPolicy: "Recycle", hostPath: { path: "/" } })],
  ["ingress: nothing", I, ingress({})],
  ["ingress: bad host", I, ingress({ rules: [{ host: "A_" }], defaultBackend: backend })],
  ["ingress: address for a host", I, ingress({ rules: [{ host: "1.2.3.4" }], defaultBackend: backend })],
  ["ingress: bad wildcard", I, ingress({ rules: [{ host: "*" }], defaultBackend: backend })],
  ["ingress: no paths", I, ingress({ rules: [{ http: { paths: [] } }] })],
  ["ingress: no path type", I, path({ pathType: null })],
  ["ingress: unknown path type", I, path({ pathType: "Nope" })],
  ["ingress: relative path", I, path({ path: "a" })],
  ["ingress: path with double slashes", I, path({ path: "/a//b" })],
  ["ingress: path that climbs", I, path({ path: "/a/../b" })],
  ["ingress: no backend", I, path({ backend: {} })],
  ["ingress: backend of no name", I, path({ backend: { service: { name: "", port: { number: 80 } } } })],
  ["ingress: backend of no port", I, path({ backend: { service: { name: "s" } } })],
  ["ingress: backend of two ports", I, path({ backend: { service: { name: "s", port: { number: 80, name: "a" } } } })],
  ["ingress: backend of a port beyond", I, path({ backend: { service: { name: "s", port: { number: 70000 } } } })],
  ["ingress: two backends", I, path({ backend: { service: { name: "s", port: { number: 80 } }, resource: { kind: "K", name: "n" } } })],
  ["ingress: bad tls host", I, ingress({ tls: [{ hosts: ["A_"] }], defaultBackend: backend })],
  ["ingress: bad class", I, ingress({ ingressClassName: "A_", defaultBackend: backend })],
  [
    "ingress class: bad controller",
    cluster("networking.k8s.io/v1/ingressclasses"),
    object("networking.k8s.io/v1", "IngressClass", "invalid-x", { spec: { controller: "x" } }),
  ],
  ["network policy: bad port", N, policy({ ingress: [{ ports: [{ port: 0 }] }] })],
  ["network policy: unknown protocol", N, policy({ ingress: [{ ports: [{ port: 80, protocol: "ICMP" }] }] })],
  ["network policy: bad block", N, policy({ ingress: [{ from: [{ ipBlock: { cidr: "x" } }] }] })],
  ["network policy: bad exception", N, policy({ ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } }] }] })],
  ["network policy: empty peer", N, policy({ ingress: [{ from: [{}] }] })],
  ["network policy: block and selector", N, policy({ ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} }] }] })],
  ["network policy: unknown type", N, policy({ policyTypes: ["Nope"] })],
  ["network policy: three types", N, policy({ policyTypes: ["Ingress", "Egress", "Ingress"] })],
  ["network policy: end before start", N, policy({ ingress: [{ ports: [{ port: 80, endPort: 79 }] }] })],
  ["network policy: end of a name", N, policy({ ingress: [{ ports: [{ port: "a", endPort: 79 }] }] })],
  ["role: no verbs", R, role({ apiGroups: [""], resources: ["pods"], verbs: [] })],
  ["role: no groups", R, role({ resources: ["pods"], verbs: ["get"] })],
  ["role: no resources", R, role({ apiGroups: [""], verbs: ["get"] })],
  ["role: paths", R, role({ nonResourceURLs: ["/x"], verbs: ["get"] })],
  ["role: paths and resources", R, role({ nonResourceURLs: ["/x"], apiGroups: [""], resources: ["pods"], verbs: ["get"] })],
  ["role: bad name", R, object("rbac.authorization.k8s.io/v1", "Role", "a/b", { rules: [] })],
  ["binding: no role", B, binding({ roleRef: { kind: "Role", name: "" } })],
  ["binding: unknown kind of role", B, binding({ roleRef: { kind: "Nope", name: "r" } })],
  ["binding: unknown group of role", B, binding({ roleRef: { kind: "Role", name: "r", apiGroup: "x" } })],
  ["binding: subject without a name", B, binding({ subjects: [{ kind: "User", name: "" }] })],
  ["binding: unknown kind of subject", B, binding({ subjects: [{ kind: "Nope", name: "x" }] })],
  ["binding: account without a namespace", B, binding({ subjects: [{ kind: "ServiceAccount", name: "x" }] })],
  ["binding: bad account", B, binding({ subjects: [{ kind: "ServiceAccount", name: "A_", namespace: "n" }] })],
  ["binding: account of a group", B, binding({ subjects: [{ kind: "ServiceAccount", name: "x", namespace: "n", apiGroup: "x" }] })],
  ["webhook: short name", W, hook({ name: "a" })],
  ["webhook: no side effects", W, hook({ sideEffects: null })],
  ["webhook: unknown side effects", W, hook({ sideEffects: "Some" })],
  ["webhook: no versions", W, hook({ admissionReviewVersions: [] })],
  ["webhook: unknown versions", W, hook({ admissionReviewVersions: ["v9"] })],
  ["webhook: bad versions", W, hook({ admissionReviewVersions: ["a b", "v1"] })],
  ["webhook: no client", W, hook({ clientConfig: {} })],
  ["webhook: two clients", W, hook({ clientConfig: { url: "https://a/b", service: { name: "s", namespace: "n" } } })],
  ["webhook: unsafe address", W, hook({ clientConfig: { url: "http://a/b" } })],
  ["webhook: address with a query", W, hook({ clientConfig: { url: "https://a/b?c=d" } })],
  ["webhook: service without a name", W, hook({ clientConfig: { service: { name: "", namespace: "" } } })],
  ["webhook: bad path of a service", W, hook({ clientConfig: { service: { name: "s", namespace: "n", path: "x" } } })],
  ["webhook: port of a service beyond", W, hook({ clientConfig: { service: { name: "s", namespace: "n", port: 70000 } } })],
  ["webhook: unknown failure policy", W, hook({ failurePolicy: "Nope" })],
  ["webhook: unknown match policy", W, hook({ matchPolicy: "Nope" })],
  ["webhook: long time", W, hook({ timeoutSeconds: 31 })],
  ["webhook: unknown operation", W, hook({ rules: [{ apiGroups: ["e.io"], apiVersions: ["v1"], operations: ["NOPE"], resources: ["x"] }] })],
  ["webhook: rule of nothing", W, hook({ rules: [{}] })],
  [
    "webhook: everything and more",
    W,
    hook({ rules: [{ apiGroups: ["*", "a"], apiVersions: ["*", "v1"], operations: ["*", "CREATE"], resources: ["*", "x"] }] }),
  ],
  ["webhook: unknown scope", W, hook({ rules: [{ apiGroups: ["a"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["x"], scope: "Nope" }] })],
  ["webhook: bad selector", W, hook({ namespaceSelector: { matchLabels: { "a b": "c" } } })],
  ["webhook: condition of no name", W, hook({ matchConditions: [{ name: "", expression: "true" }] })],
  ["webhook: condition without an expression", W, hook({ matchConditions: [{ name: "a", expression: "" }] })],
  [
    "webhook: condition twice",
    W,
    hook({
      matchConditions: [
        { name: "a", expression: "true" },
        { name: "a", expression: "true" },
      ],
    }),
  ],
  ["limit range: unknown type", ns("limitranges"), object("v1", "LimitRange", "x", { spec: { limits: [{ type: "Nope x" }] } })],
  [
    "limit range: minimum over maximum",
    ns("limitranges"),
    object("v1", "LimitRange", "x", { spec: { limits: [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" } }] } }),
  ],
  [
    "limit range: default over maximum",
    ns("limitranges"),
    object("v1", "LimitRange", "x", { spec: { limits: [{ type: "Container", default: { cpu: "2" }, max: { cpu: "1" } }] } }),
  ],
  ["limit range: type twice", ns("limitranges"), object("v1", "LimitRange", "x", { spec: { limits: [{ type: "Pod" }, { type: "Pod" }] } })],
  ["quota: unknown resource", ns("resourcequotas"), object("v1", "ResourceQuota", "x", { spec: { hard: { nope: "1" } } })],
  ["quota: negative", ns("resourcequotas"), object("v1", "ResourceQuota", "x", { spec: { hard: { pods: "-1" } } })],
  ["quota: unknown scope", ns("resourcequotas"), object("v1", "ResourceQuota", "x", { spec: { hard: { pods: "1" }, scopes: ["Nope"] } })],
  ["storage class: no provisioner", cluster("storage.k8s.io/v1/storageclasses"), object("storage.k8s.io/v1", "StorageClass", "invalid-x", { provisioner: "" })],
  [
    "storage class: unknown policies",
    cluster("storage.k8s.io/v1/storageclasses"),
    object("storage.k8s.io/v1", "StorageClass", "invalid-x", { provisioner: "e.io/p", reclaimPolicy: "Nope", volumeBindingMode: "Nope" }),
  ],
  ["priority class: system's name", cluster("scheduling.k8s.io/v1/priorityclasses"), object("scheduling.k8s.io/v1", "PriorityClass", "system-x", { value: 1 })],
  [
    "priority class: too high",
    cluster("scheduling.k8s.io/v1/priorityclasses"),
    object("scheduling.k8s.io/v1", "PriorityClass", "invalid-x", { value: 1_000_000_001 }),
  ],
  [
    "priority class: unknown preemption",
    cluster("scheduling.k8s.io/v1/priorityclasses"),
    object("scheduling.k8s.io/v1", "PriorityClass", "invalid-x", { value: 1, preemptionPolicy: "Nope" }),
  ],
  [
    "lease: bad times",
    ns("coordination.k8s.io/v1/leases"),
    object("coordination.k8s.io/v1", "Lease", "x", { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }),
  ],
  ["runtime class: bad handler", cluster("node.k8s.io/v1/runtimeclasses"), object("node.k8s.io/v1", "RuntimeClass", "invalid-x", { handler: "A_" })],
  [
    "signing request: no usages",
    cluster("certificates.k8s.io/v1/certificatesigningrequests"),
    object("certificates.k8s.io/v1", "CertificateSigningRequest", "invalid-x", { spec: { request: "", signerName: "x" } }),
  ],
  ["pod template: no containers", ns("podtemplates"), object("v1", "PodTemplate", "x", { template: { spec: { containers: [] } } })],
];

/** Objects that are refused, kind by kind, and why. */
export const invalidKindScripts: readonly Script[] = [
  script(
    "invalid objects",
    cases.map(([title, at, body]) => post(title, `${at}?dryRun=All`, body)),
  ),
];
