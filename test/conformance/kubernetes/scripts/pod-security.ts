import type { Script, Step } from "../types.ts";
import { cluster, deployment, mergePatch, ns, object, pause, pod, post, put, script, setup, strategic, template } from "./dsl.ts";

const LEVEL = "pod-security.kubernetes.io/";
const NAMESPACE = cluster("namespaces", "{ns}");
const label = (labels: Record<string, string | null>): Step[] => [
  setup(mergePatch("labels", NAMESPACE, { metadata: { labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [LEVEL + key, value])) } })),
  pause(700),
];
const one = (securityContext: object, more: object = {}): object => ({ containers: [{ name: "c", image: "i:1", securityContext, ...more }] });
const RESTRICTED = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
const all = (volumes: object[]): object => ({ ...one(RESTRICTED), volumes });

/** What a pod may have that one of the levels forbids. */
const SPECS: [title: string, spec: object, annotations?: object][] = [
  ["plain", {}],
  ["all that is asked for", one(RESTRICTED)],
  [
    "all by the pod",
    {
      ...one({ allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } }),
      securityContext: { runAsNonRoot: true, runAsUser: 7, seccompProfile: { type: "Localhost", localhostProfile: "p" } },
    },
  ],
  ["privileged", one({ privileged: true })],
  [
    "privileged, twice",
    {
      containers: [
        { name: "a", image: "i", securityContext: { privileged: true } },
        { name: "b", image: "i", securityContext: { privileged: true } },
      ],
      initContainers: [{ name: "first", image: "i", securityContext: { privileged: true } }],
    },
  ],
  ["the host's namespaces", { hostNetwork: true, hostPID: true, hostIPC: true }],
  [
    "the host's network and ports",
    {
      hostNetwork: true,
      containers: [
        {
          name: "c",
          image: "i",
          ports: [
            { containerPort: 80, hostPort: 80 },
            { containerPort: 81, hostPort: 81 },
          ],
        },
      ],
    },
  ],
  ["a host port", one({}, { ports: [{ containerPort: 80, hostPort: 8080 }] })],
  [
    "a host's path",
    {
      volumes: [
        { name: "h", hostPath: { path: "/etc" } },
        { name: "j", hostPath: { path: "/var" } },
      ],
    },
  ],
  ["capabilities", one({ capabilities: { add: ["NET_ADMIN", "SYS_TIME", "CHOWN"] } })],
  [
    "capabilities of two",
    {
      containers: [
        { name: "a", image: "i", securityContext: { capabilities: { add: ["SYS_TIME"], drop: ["ALL"] } } },
        { name: "b", image: "i", securityContext: { capabilities: { add: ["NET_RAW"] } } },
      ],
    },
  ],
  ["an unmasked proc", { hostUsers: false, ...one({ procMount: "Unmasked" }) }],
  ["no seccomp", one({ seccompProfile: { type: "Unconfined" } })],
  ["no seccomp for the pod and one", { ...one({ seccompProfile: { type: "Unconfined" } }), securityContext: { seccompProfile: { type: "Unconfined" } } }],
  ["no AppArmor", { ...one({ appArmorProfile: { type: "Unconfined" } }), securityContext: { appArmorProfile: { type: "Unconfined" } } }],
  ["no AppArmor by annotation", one({}), { "container.apparmor.security.beta.kubernetes.io/c": "unconfined" }],
  ["SELinux options", { ...one({ seLinuxOptions: { type: "spc_t", user: "u" } }), securityContext: { seLinuxOptions: { role: "r" } } }],
  ["an engine's SELinux type", one({ seLinuxOptions: { type: "container_engine_t" } })],
  [
    "sysctls",
    {
      securityContext: {
        sysctls: [
          { name: "kernel.msgmax", value: "1" },
          { name: "net.ipv4.tcp_rmem", value: "1" },
          { name: "net.ipv4.tcp_syncookies", value: "1" },
        ],
      },
    },
  ],
  ["root", { ...one({ ...RESTRICTED, runAsUser: 0 }), securityContext: { runAsUser: 0 } }],
  ["not non-root", { ...one({ ...RESTRICTED, runAsNonRoot: false }), securityContext: { runAsNonRoot: false } }],
  [
    "volumes of any kind",
    all([
      { name: "n", nfs: { server: "s", path: "/" } },
      { name: "e", emptyDir: {} },
      { name: "h", hostPath: { path: "/" } },
      { name: "i", iscsi: { targetPortal: "p", iqn: "iqn.2001-04.com.example:storage", lun: 0 } },
    ]),
  ],
  [
    "a probe of another host",
    one({}, { livenessProbe: { httpGet: { port: 80, host: "10.0.0.1" } }, lifecycle: { preStop: { httpGet: { port: 80, host: "example.com" } } } }),
  ],
  [
    "Windows",
    {
      os: { name: "windows" },
      ...one({ windowsOptions: { hostProcess: true } }),
      hostNetwork: true,
      securityContext: { runAsNonRoot: true, windowsOptions: { hostProcess: true } },
    },
  ],
];

const dryRun = `${ns("pods")}?dryRun=All`;
const pods = (where: string): Step[] =>
  SPECS.map(([title, spec, annotations]) => post(`${where}: ${title}`, dryRun, pod(annotations ? { name: "p", annotations } : "p", spec), { only: told }));
/** Refusals count whole, of what was taken its name: its defaults have scripts of their own. */
const told = (body: unknown): unknown => ((body as { kind?: string }).kind === "Pod" ? "taken" : body);

/** The levels of Pod Security that a namespace's labels ask for. */
export const podSecurityScripts: readonly Script[] = [
  script("pod security", [
    setup(post("before", ns("pods"), pod("one", one({ privileged: true })))),
    setup(post("before too", ns("pods"), pod("two", one({ privileged: true })))),
    setup(post("before as well", ns("pods"), pod("three", { hostNetwork: true }))),
    mergePatch("a level that is none", NAMESPACE, { metadata: { labels: { [`${LEVEL}enforce`]: "strict", [`${LEVEL}warn-version`]: "1.30" } } }),
    mergePatch("pods that break a new level", `${NAMESPACE}?dryRun=All`, { metadata: { labels: { [`${LEVEL}enforce`]: "restricted" } } }),
    mergePatch("pods that break a level of a version", NAMESPACE, {
      metadata: { labels: { [`${LEVEL}enforce`]: "baseline", [`${LEVEL}enforce-version`]: "v1.30" } },
    }),
    pause(700),
    ...pods("baseline of 1.30"),
    ...label({ "enforce-version": null }),
    ...pods("baseline"),
    post("a controller is warned of its template", `${ns("apps/v1/deployments")}?dryRun=All`, deployment("d", { template: template({ hostPID: true }) }), {
      only: () => "",
    }),
    mergePatch("an update that changes nothing that counts", ns("pods", "one"), { metadata: { labels: { x: "y" } } }, { only: told }),
    strategic("another image", ns("pods", "one"), { spec: { containers: [{ name: "c", image: "i:2" }] } }, { only: told }),
    strategic(
      "an ephemeral container",
      `${ns("pods", "one")}/ephemeralcontainers`,
      { spec: { ephemeralContainers: [{ name: "debug", image: "i", securityContext: { privileged: true } }] } },
      { only: told },
    ),
    ...label({ enforce: "restricted" }),
    ...pods("restricted"),
    ...label({ "enforce-version": "v1.7" }),
    ...pods("restricted of 1.7"),
    ...label({ "enforce-version": "v1.22" }),
    ...pods("restricted of 1.22"),
    ...label({ enforce: "privileged", "enforce-version": null, warn: "restricted", audit: "baseline" }),
    ...pods("warned"),
    post(
      "a job is warned of",
      `${ns("batch/v1/jobs")}?dryRun=All`,
      object("batch/v1", "Job", "j", { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } } }),
      { only: () => "" },
    ),
    post(
      "a cron job is warned of",
      `${ns("batch/v1/cronjobs")}?dryRun=All`,
      object("batch/v1", "CronJob", "j", {
        spec: { schedule: "* * * * *", jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } } } },
      }),
      { only: () => "" },
    ),
    post(
      "a controller without a template",
      `${ns("replicationcontrollers")}?dryRun=All`,
      object("v1", "ReplicationController", "r", {
        spec: { selector: { a: "b" }, template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } } },
      }),
      { only: () => "" },
    ),
    post(
      "a namespace with a level that is none",
      `${cluster("namespaces")}?dryRun=All`,
      object("v1", "Namespace", { name: "pod-security-other", labels: { [`${LEVEL}audit`]: "x", [`${LEVEL}enforce-version`]: "v2" } }),
    ),
    put("all levels away", `${NAMESPACE}?dryRun=All`, object("v1", "Namespace", { name: "{ns}" }), { only: () => "" }),
  ]),
];
