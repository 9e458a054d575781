import type { Script } from "../types.ts";
import { mergePatch, ns, object, pause, pod, post, put, script, service, setup } from "./dsl.ts";

const limits = (...all: object[]): object => object("v1", "LimitRange", "limits", { spec: { limits: all } });
const resources = (requests: object | undefined, most: object | undefined): object => ({
  resources: { ...(requests && { requests }), ...(most && { limits: most }) },
});
const container = (name: string, more: object = {}): object => ({ name, image: "i:1", ...more });
const claim = (name: string, storage: string): object =>
  object("v1", "PersistentVolumeClaim", name, { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } } });
/** The real server reads LimitRanges from its cache. */
const CACHED_MS = 500;

/** A namespace with limits and what pods become in it, or why not. */
const within = (name: string, limit: object, cases: [title: string, spec: object][]): Script =>
  script(name, [
    setup(post("limits", ns("limitranges"), limit)),
    pause(CACHED_MS),
    ...cases.map(([title, spec], index) => post(title, ns("pods"), pod(`p${index}`, spec))),
  ]);

/** Nobody keeps a quota's status at the bare server: it is written here, as none is used yet. */
const quota = (hard: object, more: object = {}): ReturnType<typeof setup>[] => {
  const one = (status: object) => object("v1", "ResourceQuota", "quota", { spec: { hard, ...more }, ...status });
  const used = Object.fromEntries(Object.keys(hard).map((name) => [name, "0"]));
  return [
    setup(post("quota", ns("resourcequotas"), one({}))),
    setup(put("its status", ns("resourcequotas", "quota/status"), one({ status: { hard, used } }))),
    pause(CACHED_MS),
  ];
};
const asks = (requests?: object, most?: object): object => ({ containers: [container("c", resources(requests, most))] });
const config = (name: string): object => object("v1", "ConfigMap", name);

export const limitScripts: readonly Script[] = [
  within("limit ranges: defaults", limits({ type: "Container", default: { cpu: "500m", memory: "256Mi" }, defaultRequest: { cpu: "100m" } }), [
    ["names nothing", { containers: [container("c")] }],
    ["names all", { containers: [container("c", resources({ cpu: "1", memory: "1Gi" }, { cpu: "2", memory: "1Gi" }))] }],
    ["names a request", { containers: [container("c", resources({ memory: "64Mi" }, undefined))] }],
    ["names a limit", { containers: [container("c", resources(undefined, { cpu: "1" }))] }],
    ["has two and one before", { containers: [container("c"), container("d", resources({ cpu: "200m" }, undefined))], initContainers: [container("i")] }],
  ]),
  within("limit ranges: bounds of containers", limits({ type: "Container", min: { cpu: "100m" }, max: { cpu: "1" }, maxLimitRequestRatio: { cpu: "4" } }), [
    ["names nothing", { containers: [container("c")] }],
    ["asks for too little", { containers: [container("c", resources({ cpu: "50m" }, { cpu: "150m" }))] }],
    ["may have too little", { containers: [container("c", resources({ cpu: "50m" }, { cpu: "60m" }))] }],
    ["may have too much", { containers: [container("c", resources({ cpu: "500m" }, { cpu: "2" }))] }],
    ["may have far more than it asks for", { containers: [container("c", resources({ cpu: "100m" }, { cpu: "500m" }))] }],
    ["fits", { containers: [container("c", resources({ cpu: "250m" }, { cpu: "0.5" }))] }],
    ["has one before that asks for too much", { containers: [container("c")], initContainers: [container("i", resources({ cpu: "3" }, { cpu: "3" }))] }],
  ]),
  within("limit ranges: bounds of pods", limits({ type: "Pod", min: { cpu: "100m" }, max: { memory: "1Gi" } }), [
    ["names nothing", { containers: [container("c")] }],
    [
      "fits",
      {
        containers: [
          container("c", resources({ cpu: "60m", memory: "512Mi" }, { memory: "512Mi" })),
          container("d", resources({ cpu: "60m" }, { memory: "512Mi" })),
        ],
      },
    ],
    [
      "is too large together",
      {
        containers: [
          container("c", resources({ cpu: "1", memory: "512Mi" }, { memory: "600Mi" })),
          container("d", resources({ cpu: "1" }, { memory: "600Mi" })),
        ],
      },
    ],
    [
      "is too large before",
      {
        containers: [container("c", resources({ cpu: "1" }, { memory: "1Gi" }))],
        initContainers: [container("i", resources({ cpu: "1" }, { memory: "2Gi" }))],
      },
    ],
    ["is too small together", { containers: [container("c", resources({ cpu: "10m" }, { memory: "1Gi" }))] }],
    [
      "has a sidecar",
      {
        containers: [container("c", resources({ cpu: "1" }, { memory: "600Mi" }))],
        initContainers: [{ ...container("i", resources({ cpu: "1" }, { memory: "600Mi" })), restartPolicy: "Always" }],
      },
    ],
  ]),
  script("limit ranges: bounds of claims", [
    setup(post("limits", ns("limitranges"), limits({ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "10Gi" } }))),
    pause(CACHED_MS),
    post("too small", ns("persistentvolumeclaims"), claim("a", "100Mi")),
    post("too large", ns("persistentvolumeclaims"), claim("b", "20Gi")),
  ]),
  script("resource quotas: pods", [
    ...quota({ pods: "2", "requests.cpu": "1", "limits.memory": "1Gi" }),
    post("that name nothing", ns("pods"), pod("a")),
    post("that name a request only", ns("pods"), pod("a", asks({ cpu: "100m" }))),
    post("that fit", ns("pods"), pod("a", asks({ cpu: "600m" }, { memory: "512Mi" }))),
    post("too much cpu", ns("pods"), pod("b", asks({ cpu: "500m" }, { memory: "512Mi" }))),
    post("too much of all", ns("pods"), pod("b", asks({ cpu: "2" }, { memory: "2Gi" }))),
    post("a dry run", `${ns("pods")}?dryRun=All`, pod("b", asks({ cpu: "400m" }, { memory: "512Mi" }))),
    post("that just fit", ns("pods"), pod("b", asks({ cpu: "0.4" }, { memory: "0.5Gi" }))),
    post("too many", ns("pods"), pod("d", asks({ cpu: "0" }, { memory: "0" }))),
  ]),
  script("resource quotas: counts", [
    ...quota({ configmaps: "1", "count/secrets": "1", "count/deployments.apps": "0" }),
    post("the first", ns("configmaps"), config("a")),
    post("the second", ns("configmaps"), config("b")),
    post("the first secret", ns("secrets"), object("v1", "Secret", "a")),
    post("the second secret", ns("secrets"), object("v1", "Secret", "b")),
    post(
      "no deployment",
      ns("apps/v1/deployments"),
      object("apps/v1", "Deployment", "d", {
        spec: { selector: { matchLabels: { app: "a" } }, template: { metadata: { labels: { app: "a" } }, spec: asks() } },
      }),
    ),
    post("what is not counted", ns("services"), service("s")),
  ]),
  script("resource quotas: services", [
    ...quota({ services: "2", "services.nodeports": "1", "services.loadbalancers": "0" }),
    post("plain", ns("services"), service("a")),
    post("with a balancer", ns("services"), service("b", { type: "LoadBalancer" })),
    post(
      "with two node ports",
      ns("services"),
      service("b", {
        type: "NodePort",
        ports: [
          { name: "a", port: 80 },
          { name: "b", port: 81 },
        ],
      }),
    ),
    post("with a node port", ns("services"), service("b", { type: "NodePort" }), { only: (body) => (body as { status?: string }).status }),
    mergePatch("with a node port after all", ns("services", "a"), { spec: { type: "NodePort" } }),
    post("the third", ns("services"), service("c")),
  ]),
  script("resource quotas: claims", [
    ...quota({ persistentvolumeclaims: "2", "requests.storage": "10Gi", "slow.storageclass.storage.k8s.io/requests.storage": "1Gi" }),
    post("too much", ns("persistentvolumeclaims"), claim("a", "20Gi")),
    post(
      "too much of a class",
      ns("persistentvolumeclaims"),
      object("v1", "PersistentVolumeClaim", "a", {
        spec: { storageClassName: "slow", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Gi" } } },
      }),
    ),
  ]),
  script("resource quotas: scopes", [
    ...quota({ pods: "0" }, { scopes: ["BestEffort", "NotTerminating"] }),
    post("out of the scope", ns("pods"), pod("a", asks({ cpu: "1" }))),
    post("out of the other scope", ns("pods"), pod("b", { ...asks(), activeDeadlineSeconds: 5 })),
    post("in the scopes", ns("pods"), pod("c", asks())),
    post("no pod", ns("configmaps"), config("x")),
  ]),
  script("resource quotas: priorities", [
    ...quota({ pods: "0" }, { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["system-cluster-critical"] }] } }),
    post("of another", ns("pods"), pod("a")),
    post("of the class", ns("pods"), pod("b", { ...asks(), priorityClassName: "system-cluster-critical" })),
  ]),
];
