import type { Script } from "../types.ts";
import { apply, configMap, deployment, get, mergePatch, ns, object, post, put, script, service, setup, template } from "./dsl.ts";

const A = ns("configmaps", "a");
const D = ns("apps/v1/deployments", "d");

/** Server-side apply. */
export const applyScripts: readonly Script[] = [
  script("server-side apply", [
    apply("creates", A, configMap("a", { a: "1", b: "2" })),
    apply("does nothing", A, configMap("a", { a: "1", b: "2" })),
    apply("conflicts", A, configMap("a", { a: "2" }), "m2"),
    apply("conflicts twice", A, configMap("a", { a: "2", b: "3" }), "m2"),
    apply("takes over by force", A, configMap("a", { a: "2" }), "m2", { query: "&force=true" }),
    apply("shares what is the same", A, configMap("a", { a: "2", b: "2" }), "m3"),
    apply("removes what it owned alone", A, configMap("a", {}), "m1"),
    apply("keeps what others own", A, configMap("a", { a: "2" }), "m3"),
    apply("with a dry run", A, configMap("a", { c: "1" }), "m4", { query: "&dryRun=All" }),
    apply("needs a manager", A, configMap("a"), ""),
    apply("takes YAML", A, "apiVersion: v1\nkind: ConfigMap\ndata:\n  k: 'yes'\n", "m5"),
    apply("takes no managed fields", A, configMap({ name: "a", managedFields: [{ manager: "x", operation: "Apply" }] }), "m5"),
    apply("takes no other name", A, configMap("b"), "m5"),
    apply("takes no other namespace", A, configMap({ name: "a", namespace: "zz" }), "m5"),
    apply("takes no other kind", A, object("v1", "Secret", "a"), "m5"),
    apply("needs a kind", A, { metadata: { name: "a" } }, "m5"),
    apply("needs a known version", A, object("v9", "ConfigMap", "a"), "m5"),
    apply("is broken", A, "{", "m5"),
    apply("is of a wrong type", A, configMap("a", { a: 1 }), "m5"),
    apply("is of wrong types everywhere", A, { ...configMap("a"), data: [1], metadata: { name: "a", labels: "x" } }, "m5"),
    apply("is strict", A, { ...configMap("a"), nonesuch: 1 }, "m5", { query: "&fieldValidation=Strict" }),
    apply("warns", A, { ...configMap("a"), nonesuch: 1 }, "m5"),
    apply("has duplicate keys", A, "apiVersion: v1\nkind: ConfigMap\ndata:\n  k: 'a'\n  k: 'b'\n", "m5"),
    apply("has an old version", A, configMap({ name: "a", resourceVersion: "1" }), "m5"),
    apply("has another uid", A, configMap({ name: "a", uid: "5d5e8465-0ecb-440a-b176-68d16c81b106" }), "m5"),
    apply("of what is missing, with a uid", ns("configmaps", "zz"), configMap({ name: "zz", uid: "5d5e8465-0ecb-440a-b176-68d16c81b106" }), "m5"),
    apply("of what is missing, with a version", ns("configmaps", "zz"), configMap({ name: "zz", resourceVersion: "5" }), "m5"),
    apply("with an invalid result", A, { ...configMap("a"), metadata: { name: "a", labels: { "a b": "c" } } }, "m5"),
    apply("with labels and annotations", A, configMap({ name: "a", labels: { l: "1" }, annotations: { an: "1" } }), "m6"),
    apply("with finalizers", A, configMap({ name: "a", finalizers: ["e.io/a"] }), "m7"),
    apply("with owners", A, configMap({ name: "a", ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "u" }] }), "m8"),
    apply("with null", A, { ...configMap("a"), data: null }, "m9"),
    apply("with an empty map", A, { ...configMap("a"), binaryData: {} }, "m9"),
    mergePatch("an update takes over", `${A}?fieldManager=u1`, { data: { a: "7" } }),
    apply("an update conflicts", A, configMap("a", { a: "8" }), "m1"),
    put("managed fields reset", `${A}?fieldManager=u2`, configMap({ name: "a", managedFields: [{}] }, { a: "7" })),
    apply("after a reset", A, configMap("a", { a: "9" }), "m1"),
  ]),
  script("apply of workloads", [
    apply("creates", D, deployment("d", { replicas: 2 })),
    apply(
      "adds to a map list",
      D,
      deployment("d", {
        template: template({
          containers: [{ name: "c", image: "i:1", env: [{ name: "A", value: "1" }], ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }] }],
        }),
      }),
      "m2",
    ),
    apply("changes an item of another", D, deployment("d", { template: template({ containers: [{ name: "c", image: "i:2" }] }) }), "m3"),
    apply("adds an item", D, deployment("d", { template: template({ containers: [{ name: "side", image: "i:2" }] }) }), "m3"),
    apply("removes its item", D, deployment("d", { template: template({ containers: [] }) }), "m3"),
    apply("lacks a key", D, deployment("d", { template: template({ containers: [{ image: "i:2" }] }) }), "m3"),
    apply(
      "has a key twice",
      D,
      deployment("d", {
        template: template({
          containers: [
            { name: "x", image: "i:2" },
            { name: "x", image: "i:3" },
          ],
        }),
      }),
      "m3",
    ),
    apply(
      "replaces an atomic list",
      D,
      deployment("d", { template: template({ containers: [{ name: "c", image: "i:1", args: ["a"] }], tolerations: [{ key: "k", operator: "Exists" }] }) }),
      "m2",
    ),
    apply("has an atomic map", D, deployment("d", { template: template({ containers: [{ name: "c", image: "i:1" }], nodeSelector: { a: "b" } }) }), "m2"),
    apply(
      "conflicts in an atomic map",
      D,
      deployment("d", { template: template({ containers: [{ name: "c", image: "i:1" }], nodeSelector: { a: "c" } }) }),
      "m4",
    ),
    apply(
      "conflicts in a list",
      D,
      deployment("d", { template: template({ containers: [{ name: "c", image: "i:7", env: [{ name: "A", value: "2" }] }] }) }),
      "m4",
    ),
    apply("conflicts in the selector", D, deployment("d", { selector: { matchLabels: { app: "b" } } }), "m4"),
    mergePatch("scale takes over", `${D}/scale?fieldManager=scaler`, { spec: { replicas: 5 } }),
    get("who owns the replicas", D),
    apply("conflicts with the scale", D, deployment("d", { replicas: 3 })),
    apply(
      "of the status",
      `${D}/status`,
      object("apps/v1", "Deployment", "d", { status: { replicas: 1, conditions: [{ type: "Available", status: "True" }] } }),
      "ctl",
    ),
    apply("ignores the status", D, { ...deployment("d"), status: { replicas: 9 } }, "m9"),
    apply("ints and strings", D, deployment("d", { strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: "50%" } } }), "m10"),
    apply("wrong types", D, deployment("d", { replicas: "x", paused: 1, template: { spec: { containers: "x" } } }), "m11"),
    apply(
      "resources in another form",
      D,
      deployment("d", { template: template({ containers: [{ name: "c", image: "i:1", resources: { limits: { cpu: "1000m", memory: "1024Mi" } } }] }) }),
      "m12",
    ),
    apply("a service", ns("services", "s"), service("s", { ports: [{ port: 80 }, { port: 80, protocol: "UDP", name: "u" }] })),
    apply("a service's second manager", ns("services", "s"), service("s", { ports: [{ port: 81, protocol: "TCP", name: "t" }] }), "m2"),
    apply(
      "a service port without protocol",
      ns("services", "s2"),
      service("s2", {
        ports: [
          { port: 80, name: "a" },
          { port: 80, name: "b" },
        ],
      }),
    ),
    apply("a secret with string data", ns("secrets", "sec"), object("v1", "Secret", "sec", { stringData: { a: "b" } })),
    apply("a secret with data", ns("secrets", "sec"), object("v1", "Secret", "sec", { data: { a: "Yw==" } }), "m2"),
    apply("a service account", ns("serviceaccounts", "sa"), object("v1", "ServiceAccount", "sa", { secrets: [{ name: "x" }] })),
    apply(
      "a role",
      ns("rbac.authorization.k8s.io/v1/roles", "r"),
      object("rbac.authorization.k8s.io/v1", "Role", "r", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
    ),
    apply(
      "an ingress",
      ns("networking.k8s.io/v1/ingresses", "i"),
      object("networking.k8s.io/v1", "Ingress", "i", { spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } } }),
    ),
    apply(
      "a network policy",
      ns("networking.k8s.io/v1/networkpolicies", "n"),
      object("networking.k8s.io/v1", "NetworkPolicy", "n", { spec: { podSelector: {} } }),
    ),
    apply(
      "an autoscaler",
      ns("autoscaling/v2/horizontalpodautoscalers", "h"),
      object("autoscaling/v2", "HorizontalPodAutoscaler", "h", {
        spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" } },
      }),
    ),
    apply(
      "an autoscaler's older version",
      ns("autoscaling/v1/horizontalpodautoscalers", "h"),
      object("autoscaling/v1", "HorizontalPodAutoscaler", "h", {
        spec: { maxReplicas: 4, scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" } },
      }),
      "m2",
      { query: "&force=true" },
    ),
    apply(
      "a job",
      ns("batch/v1/jobs", "j"),
      object("batch/v1", "Job", "j", { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i:1" }] } } } }),
    ),
    apply(
      "a cron job",
      ns("batch/v1/cronjobs", "cj"),
      object("batch/v1", "CronJob", "cj", {
        spec: { schedule: "* * * * *", jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i:1" }] } } } } },
      }),
    ),
    apply(
      "a stateful set",
      ns("apps/v1/statefulsets", "st"),
      object("apps/v1", "StatefulSet", "st", {
        spec: {
          serviceName: "s",
          selector: { matchLabels: { app: "a" } },
          template: template(),
          volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
        },
      }),
    ),
    apply(
      "a daemon set",
      ns("apps/v1/daemonsets", "ds"),
      object("apps/v1", "DaemonSet", "ds", { spec: { selector: { matchLabels: { app: "a" } }, template: template() } }),
    ),
    apply(
      "a pod",
      ns("pods", "p"),
      object("v1", "Pod", "p", { spec: { containers: [{ name: "c", image: "i:1", ports: [{ containerPort: 80 }], env: [{ name: "A", value: "b" }] }] } }),
    ),
    apply("a pod's image", ns("pods", "p"), object("v1", "Pod", "p", { spec: { containers: [{ name: "c", image: "i:2" }] } }), "m2", { query: "&force=true" }),
    apply(
      "a claim",
      ns("persistentvolumeclaims", "c"),
      object("v1", "PersistentVolumeClaim", "c", { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }),
    ),
    apply(
      "a lease",
      ns("coordination.k8s.io/v1/leases", "l"),
      object("coordination.k8s.io/v1", "Lease", "l", { spec: { holderIdentity: "x", leaseDurationSeconds: 5, renewTime: "2026-01-01T00:00:00.123456Z" } }),
    ),
    apply(
      "an endpoint slice",
      ns("discovery.k8s.io/v1/endpointslices", "e"),
      object("discovery.k8s.io/v1", "EndpointSlice", "e", { addressType: "IPv4", endpoints: [{ addresses: ["10.1.1.1"] }], ports: [{ port: 80, name: "" }] }),
    ),
    apply("a config map of another manager", ns("configmaps", "cm"), configMap("cm", { a: "1" })),
    setup(post("upd", ns("configmaps"), configMap("upd", { a: "1" }))),
    apply("what was created otherwise", ns("configmaps", "upd"), configMap("upd", { a: "2" })),
  ]),
];
