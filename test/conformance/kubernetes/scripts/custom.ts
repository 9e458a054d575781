import type { Script } from "../types.ts";
import { apply, del, get, jsonPatch, mergePatch, ns, object, post, put, script, setup, strategic, TABLE } from "./dsl.ts";
import { CRDS, WAIT, bare, definition, noTimes, thing, withSchema } from "./custom-objects.ts";

const W = ns("e.io/v1/widgets");
const R = ns("e.io/v1/rules");

/** Custom resources and their definitions. */
export const customScripts: readonly Script[] = [
  script("custom resources", [
    post(
      "definition",
      CRDS,
      definition(
        "widgets",
        "Widget",
        {
          required: ["size"],
          properties: {
            size: { type: "integer", minimum: 1, maximum: 10 },
            color: { type: "string", enum: ["red", "green"], default: "red" },
            name: { type: "string", minLength: 2, maxLength: 4, pattern: "^[a-z]+$" },
            when: { type: "string", format: "date-time" },
            parts: {
              type: "array",
              minItems: 1,
              maxItems: 2,
              items: { type: "object", required: ["id"], properties: { id: { type: "string" }, n: { type: "integer", default: 3 } } },
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": ["id"],
            },
            tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
            free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
            amount: { "x-kubernetes-int-or-string": true },
            ratio: { type: "integer", multipleOf: 2 },
            open: { type: "integer", exclusiveMaximum: true, maximum: 5 },
            map: { type: "object", maxProperties: 2, additionalProperties: { type: "string" } },
            nul: { type: "string", nullable: true },
            one: { type: "object", properties: { a: { type: "string" }, b: { type: "string" } }, oneOf: [{ required: ["a"] }, { required: ["b"] }] },
            nested: { type: "object", default: {}, properties: { deep: { type: "string", default: "d" } } },
            replicas: { type: "integer" },
          },
        },
        {
          version: {
            subresources: {
              status: {},
              scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
            },
            additionalPrinterColumns: [
              { name: "Size", type: "integer", jsonPath: ".spec.size" },
              { name: "Color", type: "string", jsonPath: ".spec.color", description: "What it looks like", priority: 1 },
              { name: "Parts", type: "string", jsonPath: ".spec.parts[*].id" },
              { name: "Tags", type: "string", jsonPath: ".spec.tags" },
              { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
            ],
          },
          spec: { names: { plural: "widgets", kind: "Widget", shortNames: ["wd"], categories: ["all"] } },
        },
      ),
      { only: noTimes },
    ),
    WAIT,
    get("definition's state", `${CRDS}/widgets.e.io`, {
      only: (body) => ((body as { status?: unknown }).status ? (body as { status: unknown }).status : body),
    }),
    get("definition as a table", `${CRDS}/widgets.e.io`, { headers: TABLE }),
    post("create", W, thing("Widget", "a", { size: 3 })),
    post("prunes", W, thing("Widget", "pruned", { size: 3, nonesuch: 1, free: { any: { thing: 1 } }, parts: [{ id: "a", zzz: 1 }] }, { other: 1 })),
    post("is strict", `${W}?fieldValidation=Strict`, thing("Widget", "strict", { size: 3, nonesuch: 1, parts: [{ id: "a", zzz: 1 }] }, { other: 1 })),
    post("warns", `${W}?fieldValidation=Warn`, thing("Widget", "warned", { size: 3, nonesuch: 1 })),
    post("ignores", `${W}?fieldValidation=Ignore`, thing("Widget", "ignored", { size: 3, nonesuch: 1 })),
    post(
      "finds duplicate fields",
      `${W}?fieldValidation=Strict`,
      '{"apiVersion":"e.io/v1","kind":"Widget","metadata":{"name":"dup"},"spec":{"size":1,"size":2}}',
    ),
    post("fills defaults in lists", W, thing("Widget", "lists", { size: 3, parts: [{ id: "a" }, { id: "b", n: 5 }] })),
    post("takes null for absent", W, thing("Widget", "nulls", { size: 3, nul: null, color: null })),
    ...(
      [
        ["lacks a field", {}],
        ["is too small", { size: 0 }],
        ["is too big", { size: 11 }],
        ["is no number", { size: "x" }],
        ["is no whole number", { size: 1.5 }],
        ["is not in the enumeration", { size: 1, color: "blue" }],
        ["is too short", { size: 1, name: "a" }],
        ["is too long", { size: 1, name: "abcde" }],
        ["does not match", { size: 1, name: "A1" }],
        ["is no time", { size: 1, when: "yesterday" }],
        ["has too few items", { size: 1, parts: [] }],
        ["has too many items", { size: 1, parts: [{ id: "a" }, { id: "b" }, { id: "c" }] }],
        ["has items without keys", { size: 1, parts: [{ n: 1 }] }],
        ["has items twice", { size: 1, parts: [{ id: "a" }, { id: "a" }] }],
        ["has members twice", { size: 1, tags: ["a", "a"] }],
        ["is neither number nor text", { size: 1, amount: true }],
        ["is no multiple", { size: 1, ratio: 3 }],
        ["reaches an open bound", { size: 1, open: 5 }],
        ["has too many properties", { size: 1, map: { a: "1", b: "2", c: "3" } }],
        ["has a property of a wrong type", { size: 1, map: { a: 1 } }],
        ["is null where it may not be", { size: null }],
        ["is neither of one", { size: 1, one: {} }],
        ["is both of one", { size: 1, one: { a: "1", b: "2" } }],
        ["has a list for a map", { size: 1, map: [] }],
        ["has a map for a list", { size: 1, parts: {} }],
      ] as [string, object][]
    ).map(([title, spec]) => post(title, W, thing("Widget", "bad", spec))),
    post("has no spec", W, object("e.io/v1", "Widget", "nospec")),
    post("has a text for a spec", W, { ...object("e.io/v1", "Widget", "textspec"), spec: "x" }),
    post("has another kind", W, object("e.io/v1", "Gadget", "x")),
    post("has another version", W, object("e.io/v2", "Widget", "x")),
    post("has no kind", W, { metadata: { name: "x" } }),
    post("has a bad name", W, thing("Widget", "Bad", { size: 1 })),
    post("has bad labels", W, { ...object("e.io/v1", "Widget", { name: "x", labels: { "a b": "c" } }), spec: { size: 1 } }),
    post("is there", W, thing("Widget", "a", { size: 1 })),
    get("get", `${W}/a`),
    get("list", `${W}?limit=2`),
    get("table", W, { headers: TABLE }),
    get("in protobuf only", `${W}/a`, { headers: { accept: "application/vnd.kubernetes.protobuf" } }),
    get("in protobuf or JSON", `${W}/a`, { headers: { accept: "application/vnd.kubernetes.protobuf,application/json" } }),
    get("by field", `${W}?fieldSelector=metadata.name%3Da`),
    get("by another field", `${W}?fieldSelector=spec.size%3D3`),
    get("missing", `${W}/none`),
    put("without a version", `${W}/a`, thing("Widget", "a", { size: 4 })),
    put("of what is missing", `${W}/none`, thing("Widget", "none", { size: 4 })),
    mergePatch("merge patch", `${W}/a`, { spec: { size: 5 } }),
    mergePatch("merge patch to what is invalid", `${W}/a`, { spec: { size: 50 } }),
    mergePatch("merge patch of the status is ignored", `${W}/a`, { status: { x: 1 } }),
    mergePatch("merge patch that removes a default", `${W}/a`, { spec: { color: null } }),
    jsonPatch("JSON patch", `${W}/a`, [{ op: "replace", path: "/spec/size", value: 6 }]),
    strategic("strategic merge", `${W}/a`, { spec: { size: 7 } }),
    mergePatch("status", `${W}/a/status`, { spec: { size: 9 }, status: { replicas: 2, selector: "a=b" }, metadata: { labels: { x: "y" } } }),
    get("status alone", `${W}/a/status`),
    get("scale without replicas", `${W}/pruned/scale`),
    mergePatch("scale", `${W}/a/scale`, { spec: { replicas: 4 } }),
    get("scale again", `${W}/a/scale`),
    mergePatch("scale below nothing", `${W}/a/scale`, { spec: { replicas: -4 } }),
    put("scale by an update", `${W}/a/scale`, object("autoscaling/v1", "Scale", "a", { spec: { replicas: 5 } })),
    put("scale of another name", `${W}/a/scale`, object("autoscaling/v1", "Scale", "b", { spec: { replicas: 5 } })),
    get("after the scale", `${W}/a`),
    apply("apply", `${W}/ap`, thing("Widget", "ap", { size: 2, parts: [{ id: "a" }], tags: ["x"] })),
    apply("apply of a map list", `${W}/ap`, thing("Widget", "ap", { parts: [{ id: "b" }], tags: ["y"] }), "m2"),
    apply("apply with a conflict", `${W}/ap`, thing("Widget", "ap", { size: 3 }), "m2"),
    apply("apply of unknown fields", `${W}/ap`, thing("Widget", "ap", { nonesuch: 3 }), "m3"),
    apply("apply of unknown fields, strictly", `${W}/ap`, thing("Widget", "ap", { nonesuch: 3 }), "m3", { query: "&fieldValidation=Strict" }),
    apply("apply of what is invalid", `${W}/ap2`, thing("Widget", "ap2", { size: 30 })),
    apply("apply of a wrong type", `${W}/ap`, thing("Widget", "ap", { parts: "x" }), "m3"),
    del("delete", `${W}/a`),
    del("delete of all", W, undefined, { only: (body) => (body as { kind?: string }).kind }),
    get("discovery", "/apis/e.io/v1", {
      only: (body) => ({
        ...(body as object),
        resources: (body as { resources?: { name: string }[] }).resources?.filter(({ name }) => name.startsWith("widgets")),
      }),
    }),
    get("discovery of the group", "/apis/e.io"),
    del("definition's delete", `${CRDS}/widgets.e.io`, undefined, { only: (body) => (body as { kind?: string }).kind }),
  ]),
  script("validation rules", [
    post(
      "definition",
      CRDS,
      definition("rules", "Rule", {
        properties: {
          min: { type: "integer" },
          max: { type: "integer" },
          name: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "name is fixed" }] },
          items: {
            type: "array",
            maxItems: 10,
            items: {
              type: "object",
              properties: { k: { type: "string", maxLength: 10 }, v: { type: "integer" } },
              "x-kubernetes-validations": [{ rule: "self.v > 0", messageExpression: "'v of ' + self.k + ' must be positive'" }],
            },
          },
          reasoned: {
            type: "string",
            maxLength: 20,
            "x-kubernetes-validations": [
              { rule: "self != 'bad'", reason: "FieldValueForbidden" },
              { rule: "self.startsWith('x')", message: "must start with x", fieldPath: "" },
            ],
          },
          opt: {
            type: "object",
            properties: { a: { type: "string", maxLength: 5 }, b: { type: "string", maxLength: 5 } },
            "x-kubernetes-validations": [{ rule: "has(self.a) != has(self.b)", message: "exactly one", fieldPath: ".a" }],
          },
          url: { type: "string", maxLength: 100, "x-kubernetes-validations": [{ rule: "isURL(self) && url(self).getScheme() == 'https'" }] },
          tags: {
            type: "object",
            maxProperties: 5,
            additionalProperties: { type: "string", maxLength: 10 },
            "x-kubernetes-validations": [{ rule: "self.all(k, k.startsWith('t'))" }],
          },
        },
        "x-kubernetes-validations": [{ rule: "!has(self.min) || !has(self.max) || self.min <= self.max", message: "min must not exceed max" }],
      }),
      { only: noTimes },
    ),
    WAIT,
    post("holds", R, thing("Rule", "a", { min: 1, max: 2, name: "n" })),
    ...(
      [
        ["fails", { min: 3, max: 2 }],
        [
          "fails in items, in its own words",
          {
            items: [
              { k: "a", v: 1 },
              { k: "b", v: 0 },
            ],
          },
        ],
        ["fails for a reason", { reasoned: "bad" }],
        ["fails with a message", { reasoned: "y" }],
        ["fails at a field", { opt: { a: "1", b: "2" } }],
        ["fails without a message", { url: "http://a" }],
        ["fails over keys", { tags: { t: "1", u: "2" } }],
        ["fails several times", { min: 3, max: 2, reasoned: "bad", url: "x" }],
        ["is not reached by what has a wrong type", { min: "x", max: 1 }],
      ] as [string, object][]
    ).map(([title, spec]) => post(title, R, thing("Rule", "bad", spec))),
    mergePatch("allows what is the same", `${R}/a`, { spec: { name: "n", max: 3 } }),
    mergePatch("forbids a transition", `${R}/a`, { spec: { name: "m" } }),
    mergePatch("allows a field to go", `${R}/a`, { spec: { name: null } }),
    post(
      "a rule that does not compile",
      CRDS,
      withSchema({
        type: "object",
        properties: { spec: { type: "object", properties: { a: { type: "string" } }, "x-kubernetes-validations": [{ rule: "self.nonesuch == 1" }] } },
      }),
    ),
    post(
      "a rule that is no boolean",
      CRDS,
      withSchema({
        type: "object",
        properties: { spec: { type: "object", properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "self.a" }] } },
      }),
    ),
    post(
      "a rule with a syntax error",
      CRDS,
      withSchema({
        type: "object",
        properties: { spec: { type: "object", properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "self.a ==" }] } },
      }),
    ),
    ...(
      [
        ["an undeclared name", "foo == 1"],
        ["an undefined field of an item", "self.list.all(x, x.nme == 'a')"],
        ["an int and a text", "self.a == 'x'"],
        ["a text and a bool", "self.s != true"],
        ["a number of two lines", "self.a > 0 &&\n  self.none > 1"],
        ["metadata that is not there", "self.metadata.labels == {}"],
        ["a list that is no list", "self.a.all(x, true)"],
        ["an unknown function", "self.s.shout() == 'A'"],
      ] as [string, string][]
    ).map(([title, rule]) =>
      post(
        `rule with ${title}`,
        `${CRDS}?dryRun=All`,
        withSchema({
          type: "object",
          properties: {
            spec: {
              type: "object",
              properties: {
                a: { type: "integer" },
                s: { type: "string", maxLength: 9 },
                list: { type: "array", maxItems: 9, items: { type: "object", properties: { name: { type: "string", maxLength: 9 } } } },
              },
              "x-kubernetes-validations": [{ rule }],
            },
          },
        }),
      ),
    ),
    post(
      "a message that is no text",
      `${CRDS}?dryRun=All`,
      withSchema({
        type: "object",
        properties: {
          spec: { type: "object", properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "self.a > 0", messageExpression: "self.a" }] },
        },
      }),
    ),
    post(
      "rules that hold for times and names",
      CRDS,
      {
        ...definition("timings", "Timing", {
          properties: {
            at: { type: "string", format: "date-time", "x-kubernetes-validations": [{ rule: "self > timestamp('2020-01-01T00:00:00Z')" }] },
            long: { type: "string", format: "duration", "x-kubernetes-validations": [{ rule: "self < duration('1h')" }] },
            n: {
              type: "integer",
              "x-kubernetes-validations": [{ rule: "!oldSelf.hasValue() || self >= oldSelf.value()", optionalOldSelf: true, message: "only grows" }],
            },
          },
        }),
      },
      { only: noTimes },
    ),
    WAIT,
    post("a time that is late enough", `/apis/e.io/v1/namespaces/{ns}/timings`, thing("Timing", "a", { at: "2026-01-01T00:00:00Z", long: "59m", n: 3 })),
    post("a time that is too early", `/apis/e.io/v1/namespaces/{ns}/timings`, thing("Timing", "b", { at: "2019-01-01T00:00:00Z" })),
    post("a duration that is too long", `/apis/e.io/v1/namespaces/{ns}/timings`, thing("Timing", "b", { long: "2h" })),
    mergePatch("what only grows", `/apis/e.io/v1/namespaces/{ns}/timings/a`, { spec: { n: 2 } }),
    setup(del("timings", `${CRDS}/timings.e.io`)),
    post("an empty rule", CRDS, withSchema({ type: "object", properties: { spec: { type: "object", "x-kubernetes-validations": [{ rule: "" }] } } })),
    del("definition's delete", `${CRDS}/rules.e.io`, undefined, { only: (body) => (body as { kind?: string }).kind }),
  ]),
  script("definitions", [
    ...(
      [
        [
          "has another name",
          { ...object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "wrong.e.io"), spec: (bare("bares", {}) as { spec: unknown }).spec },
        ],
        ["lacks names", bare("bares", { names: {} })],
        ["lacks a scope", bare("bares", { scope: undefined })],
        ["has an unknown scope", bare("bares", { scope: "Nope" })],
        ["lacks a group", bare("bares", { group: "" })],
        [
          "has a group without a dot",
          {
            ...object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "bares.eio"),
            spec: { ...(bare("bares", {}) as { spec: object }).spec, group: "eio" },
          },
        ],
        ["has a bad plural", bare("Bares", { names: { plural: "Bares", kind: "Bare" } })],
        ["lacks versions", bare("bares", { versions: [] })],
        [
          "has no storage version",
          bare("bares", { versions: [{ name: "v1", served: true, storage: false, schema: { openAPIV3Schema: { type: "object" } } }] }),
        ],
        [
          "has two storage versions",
          bare("bares", { versions: ["v1", "v2"].map((name) => ({ name, served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } })) }),
        ],
        [
          "has a version twice",
          bare("bares", { versions: [true, false].map((storage) => ({ name: "v1", served: true, storage, schema: { openAPIV3Schema: { type: "object" } } })) }),
        ],
        ["has a bad version", bare("bares", { versions: [{ name: "V_1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }] })],
        ["lacks a schema", bare("bares", { versions: [{ name: "v1", served: true, storage: true }] })],
        ["has a webhook for conversion without a client", bare("bares", { conversion: { strategy: "Webhook" } })],
        ["has an unknown conversion", bare("bares", { conversion: { strategy: "Nope" } })],
        [
          "has a column without a path",
          bare("bares", {
            versions: [
              {
                name: "v1",
                served: true,
                storage: true,
                schema: { openAPIV3Schema: { type: "object" } },
                additionalPrinterColumns: [{ name: "A", type: "string" }],
              },
            ],
          }),
        ],
        [
          "has a column of an unknown type",
          bare("bares", {
            versions: [
              {
                name: "v1",
                served: true,
                storage: true,
                schema: { openAPIV3Schema: { type: "object" } },
                additionalPrinterColumns: [{ name: "A", type: "nope", jsonPath: ".a" }],
              },
            ],
          }),
        ],
        [
          "has a column with a bad path",
          bare("bares", {
            versions: [
              {
                name: "v1",
                served: true,
                storage: true,
                schema: { openAPIV3Schema: { type: "object" } },
                additionalPrinterColumns: [{ name: "A", type: "string", jsonPath: ".a[" }],
              },
            ],
          }),
        ],
        [
          "has a scale with bad paths",
          bare("bares", {
            versions: [
              {
                name: "v1",
                served: true,
                storage: true,
                schema: { openAPIV3Schema: { type: "object" } },
                subresources: { scale: { specReplicasPath: "spec.replicas", statusReplicasPath: ".spec.x" } },
              },
            ],
          }),
        ],
        ["has a root that is no object", withSchema({ type: "string" })],
        ["has a root without a type", withSchema({ properties: {} })],
        ["has a field without a type", withSchema({ type: "object", properties: { a: {} } })],
        ["has an unknown type", withSchema({ type: "object", properties: { a: { type: "nope" } } })],
        ["has an array without items", withSchema({ type: "object", properties: { a: { type: "array" } } })],
        ["has a reference", withSchema({ type: "object", properties: { a: { $ref: "#/x" } } })],
        [
          "has properties and additional ones",
          withSchema({
            type: "object",
            properties: { a: { type: "object", properties: { b: { type: "string" } }, additionalProperties: { type: "string" } } },
          }),
        ],
        ["has a default of a wrong type", withSchema({ type: "object", properties: { a: { type: "string", default: 1 } } })],
        ["has a default that is pruned", withSchema({ type: "object", properties: { a: { type: "object", default: { b: 1 }, properties: {} } } })],
        [
          "has a list of maps without keys",
          withSchema({ type: "object", properties: { a: { type: "array", "x-kubernetes-list-type": "map", items: { type: "object" } } } }),
        ],
        [
          "has list keys that are no fields",
          withSchema({
            type: "object",
            properties: {
              a: { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], items: { type: "object", properties: {} } },
            },
          }),
        ],
        [
          "has an unknown list type",
          withSchema({ type: "object", properties: { a: { type: "array", "x-kubernetes-list-type": "nope", items: { type: "string" } } } }),
        ],
        ["has a bad pattern", withSchema({ type: "object", properties: { a: { type: "string", pattern: "(" } } })],
        ["forbids additional properties", withSchema({ type: "object", additionalProperties: false })],
        ["asks for unique items", withSchema({ type: "object", properties: { a: { type: "array", uniqueItems: true, items: { type: "string" } } } })],
        ["has a type in a junctor", withSchema({ type: "object", properties: { a: { type: "object", anyOf: [{ type: "object" }] } } })],
        ["keeps unknown fields", bare("bares", { preserveUnknownFields: true })],
        [
          "has a field of the object's metadata",
          withSchema({ type: "object", properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } } }),
        ],
        ["has unknown fields", { ...bare("bares", {}), nonesuch: 1 }],
      ] as [string, object][]
    ).map(([title, body]) => post(title, `${CRDS}?dryRun=All`, body, { only: noTimes })),
    post("is taken", CRDS, bare("bares", {})),
    mergePatch("changes its scope", `${CRDS}/bares.e.io`, { spec: { scope: "Cluster" } }),
    mergePatch("changes its kind", `${CRDS}/bares.e.io`, { spec: { names: { kind: "Other" } } }, { only: noTimes }),
    mergePatch("changes its group", `${CRDS}/bares.e.io`, { spec: { group: "f.io" } }),
    del("goes", `${CRDS}/bares.e.io`, undefined, { only: (body) => (body as { kind?: string }).kind }),
  ]),
];
