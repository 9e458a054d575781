import type { Script } from "../types.ts";
import { configMap, deployment, get, mergePatch, ns, post, put, script, setup } from "./dsl.ts";

/** Field validation. */
export const validationModeScripts: readonly Script[] = [
  script("field validation", [
    ...(["Strict", "Warn", "Ignore"] as const).flatMap((mode) => [
      post(`${mode}: unknown field`, `${ns("configmaps")}?fieldValidation=${mode}&dryRun=All`, { ...configMap("a"), nonesuch: 1 }),
      post(
        `${mode}: unknown fields in depth`,
        `${ns("apps/v1/deployments")}?fieldValidation=${mode}&dryRun=All`,
        deployment("a", {
          nope: 1,
          template: { metadata: { labels: { app: "a" }, nope2: 1 }, spec: { containers: [{ name: "c", image: "i:1", nope3: [1] }] } },
        }),
      ),
      post(
        `${mode}: duplicate field`,
        `${ns("configmaps")}?fieldValidation=${mode}&dryRun=All`,
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"1","a":"2"},"data":{"b":"1"}}',
      ),
      post(
        `${mode}: duplicate field in YAML`,
        `${ns("configmaps")}?fieldValidation=${mode}&dryRun=All`,
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: '1'\n  a: '2'\n",
        { type: "application/yaml" },
      ),
      post(`${mode}: field in another case`, `${ns("configmaps")}?fieldValidation=${mode}&dryRun=All`, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "a" },
        Data: { a: "1" },
      }),
    ]),
    setup(post("a", ns("configmaps"), configMap("a"))),
    put("update, strictly", `${ns("configmaps", "a")}?fieldValidation=Strict`, { ...configMap("a"), nonesuch: 1 }),
    put("update, with a warning", ns("configmaps", "a"), { ...configMap("a"), nonesuch: 1 }),
    mergePatch("patch with a duplicate field", `${ns("configmaps", "a")}?fieldValidation=Strict`, '{"data":{"a":"1","a":"2"}}'),
    post(
      "duplicate environment",
      `${ns("apps/v1/deployments")}?dryRun=All`,
      deployment("a", {
        template: {
          metadata: { labels: { app: "a" } },
          spec: {
            containers: [
              {
                name: "c",
                image: "i:1",
                env: [
                  { name: "A", value: "1" },
                  { name: "A", value: "2" },
                ],
              },
            ],
          },
        },
      }),
    ),
    post(
      "duplicate ports",
      `${ns("apps/v1/deployments")}?dryRun=All`,
      deployment("a", {
        template: {
          metadata: { labels: { app: "a" } },
          spec: { containers: [{ name: "c", image: "i:1", ports: [{ containerPort: 80 }, { containerPort: 80, name: "x" }] }] },
        },
      }),
    ),
    post(
      "deprecated annotations and fields",
      `${ns("apps/v1/deployments")}?dryRun=All`,
      deployment("a", {
        template: {
          metadata: {
            labels: { app: "a" },
            annotations: {
              "container.apparmor.security.beta.kubernetes.io/c": "runtime/default",
              "seccomp.security.alpha.kubernetes.io/pod": "runtime/default",
            },
          },
          spec: { serviceAccount: "x", nodeSelector: { "beta.kubernetes.io/os": "linux" }, containers: [{ name: "c", image: "i:1" }] },
        },
      }),
    ),
    post("several unknown fields are sorted", `${ns("configmaps")}?fieldValidation=Strict&dryRun=All`, {
      ...configMap({ name: "a", zzz: 1, aaa: 2 }),
      yyy: 1,
      bbb: 2,
    }),
    get("not of a read", `${ns("configmaps", "a")}?fieldValidation=Nope`),
  ]),
];
