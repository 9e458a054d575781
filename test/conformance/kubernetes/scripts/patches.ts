import type { Script } from "../types.ts";
import { configMap, deployment, get, jsonPatch, mergePatch, ns, object, pod, post, script, service, setup, step, strategic, template } from "./dsl.ts";

const A = ns("configmaps", "a");
const container = (name: string, more: object = {}): object => ({ name, image: "i:1", ...more });
const specOf = (body: unknown): unknown => {
  const answer = body as { spec?: unknown; status?: unknown };
  return answer.spec ?? body;
};

/** JSON patches, merge patches and strategic merges. */
export const patchScripts: readonly Script[] = [
  script("json patches", [
    setup(post("a", ns("configmaps"), configMap({ name: "a", labels: { x: "1" }, finalizers: ["e.io/a", "e.io/b"] }, { a: "1", b: "2" }))),
    jsonPatch("adds", A, [{ op: "add", path: "/data/c", value: "3" }]),
    jsonPatch("replaces", A, [{ op: "replace", path: "/data/c", value: "4" }]),
    jsonPatch("removes", A, [{ op: "remove", path: "/data/c" }]),
    jsonPatch("moves", A, [{ op: "move", from: "/data/a", path: "/data/z" }]),
    jsonPatch("copies", A, [{ op: "copy", from: "/data/z", path: "/data/a" }]),
    jsonPatch("tests", A, [{ op: "test", path: "/data/a", value: "1" }]),
    jsonPatch("fails a test", A, [{ op: "test", path: "/data/a", value: "9" }]),
    jsonPatch("tests what is missing", A, [{ op: "test", path: "/data/q", value: "9" }]),
    jsonPatch("tests for null what is missing", A, [{ op: "test", path: "/data/q", value: null }]),
    jsonPatch("inserts into a list", A, [{ op: "add", path: "/metadata/finalizers/1", value: "e.io/c" }]),
    jsonPatch("appends to a list", A, [{ op: "add", path: "/metadata/finalizers/-", value: "e.io/d" }]),
    jsonPatch("goes beyond a list", A, [{ op: "add", path: "/metadata/finalizers/9", value: "e.io/e" }]),
    jsonPatch("removes beyond a list", A, [{ op: "remove", path: "/metadata/finalizers/9" }]),
    jsonPatch("removes what is missing", A, [{ op: "remove", path: "/data/q" }]),
    jsonPatch("replaces what is missing", A, [{ op: "replace", path: "/data/q", value: "1" }]),
    jsonPatch("adds below what is missing", A, [{ op: "add", path: "/binaryData/q/r", value: "1" }]),
    jsonPatch("escapes", A, [{ op: "add", path: "/metadata/labels/e.io~1x", value: "1" }]),
    jsonPatch("escapes a tilde", A, [
      { op: "add", path: "/metadata/annotations", value: {} },
      { op: "add", path: "/metadata/annotations/a~0b", value: "1" },
    ]),
    jsonPatch("does nothing", A, []),
    jsonPatch("has an unknown operation", A, [{ op: "nope", path: "/data/a" }]),
    jsonPatch("has no path", A, [{ op: "add", value: "1" }]),
    jsonPatch("has no value", A, [{ op: "add", path: "/data/nv" }]),
    jsonPatch("has a path without a slash", A, [{ op: "add", path: "data/a", value: "1" }]),
    jsonPatch("is no list", A, { op: "add" }),
    jsonPatch("is broken", A, "[{"),
    jsonPatch("is empty", A, ""),
    jsonPatch("of the whole", A, [{ op: "replace", path: "", value: {} }]),
    jsonPatch("of a wrong type", A, [{ op: "add", path: "/data/a", value: 5 }]),
    jsonPatch("is strict", `${A}?fieldValidation=Strict`, [{ op: "add", path: "/nonesuch", value: 5 }]),
    jsonPatch("warns", A, [{ op: "add", path: "/nonesuch", value: 5 }]),
    jsonPatch(
      "is too long",
      A,
      Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/a", value: "1" })),
    ),
    step("has an unknown type", "PATCH", A, { body: {}, type: "application/nope" }),
    step("has no type", "PATCH", A, { body: "{}", type: "application/json" }),
  ]),
  script("merge patches", [
    setup(post("a", ns("configmaps"), configMap({ name: "a", labels: { x: "1" } }, { a: "1", b: "2" }))),
    mergePatch("adds and removes", A, { data: { a: null, c: "3" } }),
    mergePatch("replaces", A, { metadata: { labels: { x: "2", y: null } } }),
    mergePatch("removes a map", A, { metadata: { labels: null } }),
    mergePatch("does nothing", A, {}),
    mergePatch("removes what is missing", A, { binaryData: null }),
    mergePatch("is broken", A, "{"),
    mergePatch("is a list", A, "[]"),
    mergePatch("is null", A, "null"),
    mergePatch("of a wrong type", A, { data: { a: 1 } }),
    mergePatch("of a map by a text", A, { data: "x" }),
    mergePatch("is strict", `${A}?fieldValidation=Strict`, { nonesuch: 1, metadata: { nope: 1 } }),
    mergePatch("warns", A, { nonesuch: 1, metadata: { nope: 1 } }),
    mergePatch("ignores", `${A}?fieldValidation=Ignore`, { nonesuch: 1 }),
    mergePatch("has an unknown validation", `${A}?fieldValidation=Nope`, {}),
    mergePatch("is forced", `${A}?force=true`, {}),
    setup(post("d", ns("apps/v1/deployments"), deployment("d"))),
    mergePatch("replaces lists", ns("apps/v1/deployments", "d"), { spec: { template: { spec: { containers: [container("n")] } } } }),
    mergePatch("of what does not change", ns("apps/v1/deployments", "d"), {
      spec: { selector: { matchLabels: { app: "b" } }, template: { metadata: { labels: { app: "b" } } } },
    }),
    mergePatch("counts generations", ns("apps/v1/deployments", "d"), { spec: { replicas: 3 } }),
    mergePatch("does not count metadata", ns("apps/v1/deployments", "d"), { metadata: { labels: { a: "b" } } }),
    mergePatch("leaves the status", ns("apps/v1/deployments", "d"), { status: { replicas: 3 } }),
    mergePatch("of the status", ns("apps/v1/deployments", "d/status"), {
      spec: { replicas: 7 },
      status: { replicas: 3, observedGeneration: 2 },
      metadata: { labels: { from: "status" } },
    }),
    mergePatch("of a bad status", ns("apps/v1/deployments", "d/status"), { status: { replicas: -3, updatedReplicas: 5 } }),
    get("its status", ns("apps/v1/deployments", "d/status")),
  ]),
  script("strategic merges", [
    setup(
      post(
        "d",
        ns("apps/v1/deployments"),
        deployment("d", {
          template: template({
            containers: [
              container("one", {
                env: [
                  { name: "A", value: "1" },
                  { name: "B", value: "2" },
                ],
                ports: [
                  { containerPort: 80, name: "http" },
                  { containerPort: 81, protocol: "UDP" },
                ],
                volumeMounts: [
                  { name: "v", mountPath: "/v" },
                  { name: "w", mountPath: "/w" },
                ],
                volumeDevices: [],
                args: ["a", "b"],
              }),
              container("two"),
            ],
            initContainers: [container("init")],
            volumes: [
              { name: "v", emptyDir: {} },
              { name: "w", configMap: { name: "c", items: [{ key: "a", path: "a" }] } },
            ],
            hostAliases: [{ ip: "1.2.3.4", hostnames: ["a"] }],
            imagePullSecrets: [{ name: "s1" }],
            tolerations: [{ key: "a", operator: "Exists" }],
            topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
          }),
        }),
      ),
    ),
    ...(
      [
        ["merges containers by name", { containers: [{ name: "one", image: "i:2" }] }],
        ["adds a container", { containers: [container("three")] }],
        ["deletes a container", { containers: [{ name: "three", $patch: "delete" }] }],
        ["orders containers", { "$setElementOrder/containers": [{ name: "two" }, { name: "one" }], containers: [] }],
        [
          "merges env by name",
          {
            containers: [
              {
                name: "one",
                env: [
                  { name: "B", value: "3" },
                  { name: "C", value: "4" },
                ],
              },
            ],
          },
        ],
        ["deletes env", { containers: [{ name: "one", env: [{ name: "A", $patch: "delete" }] }] }],
        ["merges ports by number", { containers: [{ name: "one", ports: [{ containerPort: 80, name: "web" }, { containerPort: 82 }] }] }],
        ["deletes ports", { containers: [{ name: "one", ports: [{ containerPort: 81, $patch: "delete" }] }] }],
        [
          "merges mounts by path",
          {
            containers: [
              {
                name: "one",
                volumeMounts: [
                  { name: "v", mountPath: "/w" },
                  { name: "v", mountPath: "/x" },
                ],
              },
            ],
          },
        ],
        ["deletes mounts", { containers: [{ name: "one", volumeMounts: [{ mountPath: "/x", $patch: "delete" }] }] }],
        ["merges devices by path", { containers: [{ name: "one", volumeDevices: [] }] }],
        ["replaces plain lists", { containers: [{ name: "one", args: ["c"] }] }],
        [
          "replaces a list on request",
          {
            containers: [
              { $patch: "replace" },
              container("only", {
                volumeMounts: [
                  { name: "v", mountPath: "/v" },
                  { name: "w", mountPath: "/w" },
                ],
              }),
            ],
          },
        ],
        ["merges init containers", { initContainers: [{ name: "init", image: "i:9" }, container("init2")] }],
        ["merges volumes by name", { volumes: [{ name: "v", emptyDir: { medium: "Memory" } }] }],
        ["keeps the keys of a volume on request", { volumes: [{ name: "w", $retainKeys: ["name", "emptyDir"], emptyDir: {} }] }],
        ["replaces a volume's items", { volumes: [{ name: "x", configMap: { name: "c", items: [{ key: "b", path: "b" }] } }] }],
        [
          "merges host aliases by address",
          {
            hostAliases: [
              { ip: "1.2.3.4", hostnames: ["b"] },
              { ip: "1.2.3.5", hostnames: ["c"] },
            ],
          },
        ],
        ["merges pull secrets by name", { imagePullSecrets: [{ name: "s2" }] }],
        ["replaces tolerations", { tolerations: [{ key: "b", operator: "Exists" }] }],
        [
          "merges spread constraints by topology",
          {
            topologySpreadConstraints: [
              { maxSkew: 2, topologyKey: "zone" },
              { maxSkew: 1, topologyKey: "host", whenUnsatisfiable: "DoNotSchedule" },
            ],
          },
        ],
        ["merges node selectors", { nodeSelector: { a: "b" } }],
        ["replaces a map on request", { nodeSelector: { $patch: "replace", c: "d" } }],
        ["deletes a map on request", { nodeSelector: { $patch: "delete" } }],
        ["has an unknown directive", { nodeSelector: { $patch: "nope" } }],
        ["lacks a merge key", { containers: [{ image: "i:3" }] }],
        ["removes by null", { hostAliases: null }],
        ["merges the security context", { securityContext: { runAsUser: 1, supplementalGroups: [1] } }],
        ["deletes from a primitive list", { securityContext: { "$deleteFromPrimitiveList/supplementalGroups": [1] } }],
      ] as [string, object][]
    ).map(([title, spec]) => strategic(title, ns("apps/v1/deployments", "d"), { spec: { template: { spec } } }, { only: specOf })),
    strategic(
      "keeps the keys of the strategy",
      ns("apps/v1/deployments", "d"),
      { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      { only: specOf },
    ),
    strategic("orders at the top", ns("apps/v1/deployments", "d"), {
      metadata: { "$setElementOrder/finalizers": ["e.io/b", "e.io/a"], finalizers: ["e.io/a", "e.io/b"] },
    }),
    strategic("deletes finalizers", ns("apps/v1/deployments", "d"), { metadata: { "$deleteFromPrimitiveList/finalizers": ["e.io/a"] } }),
    strategic("merges owners by uid", ns("apps/v1/deployments", "d"), {
      metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "a", uid: "u1" }] },
    }),
    strategic("adds an owner", ns("apps/v1/deployments", "d"), { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "b", uid: "u2" }] } }),
    strategic("is broken", ns("apps/v1/deployments", "d"), "{"),
    strategic("of a wrong type", ns("apps/v1/deployments", "d"), { spec: { replicas: "many" } }),
    strategic("of a list by a map", ns("apps/v1/deployments", "d"), { spec: { template: { spec: { containers: {} } } } }),
    strategic("is strict", `${ns("apps/v1/deployments", "d")}?fieldValidation=Strict`, {
      spec: { nonesuch: 1, template: { spec: { containers: [{ name: "only", nope: 1 }] } } },
    }),
    strategic("warns", ns("apps/v1/deployments", "d"), { spec: { nonesuch: 1 } }),
    strategic("of the status merges conditions by type", ns("apps/v1/deployments", "d/status"), {
      status: { conditions: [{ type: "Available", status: "True" }] },
    }),
    strategic("of the status adds conditions", ns("apps/v1/deployments", "d/status"), { status: { conditions: [{ type: "Progressing", status: "True" }] } }),
    setup(
      post(
        "s",
        ns("services"),
        service("s", {
          ports: [
            { port: 80, name: "a" },
            { port: 81, name: "b" },
          ],
          selector: { a: "b" },
        }),
      ),
    ),
    strategic("merges service ports by number", ns("services", "s"), { spec: { ports: [{ port: 80, targetPort: 8080 }] } }, { only: specOf }),
    strategic("deletes service ports", ns("services", "s"), { spec: { ports: [{ port: 81, $patch: "delete" }] } }, { only: specOf }),
    strategic(
      "sets the ports' order",
      ns("services", "s"),
      { spec: { "$setElementOrder/ports": [{ port: 82 }, { port: 80 }], ports: [{ port: 82, name: "c" }] } },
      { only: specOf },
    ),
    setup(post("sa", ns("serviceaccounts"), object("v1", "ServiceAccount", "sa", { secrets: [{ name: "s1" }], imagePullSecrets: [{ name: "p1" }] }))),
    strategic("merges an account's secrets", ns("serviceaccounts", "sa"), { secrets: [{ name: "s2" }], imagePullSecrets: [{ name: "p2" }] }),
    setup(post("p", ns("pods"), pod("p"))),
    strategic("of a pod's status", ns("pods", "p/status"), {
      status: { phase: "Running", podIPs: [{ ip: "10.1.1.1" }], conditions: [{ type: "Ready", status: "True" }] },
    }),
    strategic("of a pod's conditions", ns("pods", "p/status"), {
      status: {
        conditions: [
          { type: "Ready", status: "False" },
          { type: "Initialized", status: "True" },
        ],
      },
    }),
    strategic("of a pod's image", ns("pods", "p"), { spec: { containers: [{ name: "c", image: "i:2" }] } }),
    strategic("of a pod's command", ns("pods", "p"), { spec: { containers: [{ name: "c", command: ["x"] }] } }),
    strategic("of a pod's new container", ns("pods", "p"), { spec: { containers: [{ name: "d", image: "i:2" }] } }),
    strategic("of a config map", ns("configmaps", "none"), {}),
  ]),
];
