import type { Script, Step } from "../types.ts";
import { configMap, del, get, mergePatch, ns, pod, post, script, setup, TABLE, PARTIAL } from "./dsl.ts";

const CM = ns("configmaps");
const watch = (title: string, query: string, during: readonly Step[], more: Partial<Step> = {}): Step =>
  get(title, `${CM}?watch=true${query}`, { during, ...more });
const changes = (name: string): Step[] => [
  post("create", CM, configMap({ name, labels: { w: name } }, { a: "1" })),
  mergePatch("modify", ns("configmaps", name), { data: { a: "2" } }),
  del("delete", ns("configmaps", name)),
];

/** Watches. */
export const watchScripts: readonly Script[] = [
  script("watch", [
    watch("of an empty collection", "", []),
    watch("of all changes", "", changes("one")),
    setup(post("two", CM, configMap({ name: "two", labels: { w: "two" } }), { save: { version: "metadata.resourceVersion" } })),
    watch("begins with what is there", "", []),
    watch("begins with what is there, at any version", "&resourceVersion=0", []),
    watch("goes on from a version", "&resourceVersion={{version}}", changes("three")),
    setup(mergePatch("relabel", ns("configmaps", "two"), { metadata: { labels: { w: "x" } } })),
    watch("brings what happened since", "&resourceVersion={{version}}", []),
    watch("by label", "&labelSelector=w%3Dsel", [...changes("sel"), ...changes("nosel")]),
    watch("an object that stops and starts to match", "&labelSelector=w%3Dtwo&resourceVersion={{version}}", [
      mergePatch("in", ns("configmaps", "two"), { metadata: { labels: { w: "two" } } }),
      mergePatch("out", ns("configmaps", "two"), { metadata: { labels: { w: "y" } } }),
    ]),
    watch("by name", "&fieldSelector=metadata.name%3Dfour", [...changes("four"), ...changes("five")]),
    watch("as a table", "", changes("six"), { headers: TABLE }),
    watch("as metadata", "", changes("seven"), { headers: PARTIAL }),
    watch("with initial events", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", changes("eight")),
    watch("with initial events and without bookmarks", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", []),
    watch("without initial events", "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", changes("nine")),
    watch("with initial events as a table", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", [], { headers: TABLE }),
    watch("with initial events as metadata", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", [], { headers: PARTIAL }),
  ]),
  script("watch of other things", [
    setup(post("two", CM, configMap({ name: "two", labels: { w: "two" } }), { save: { version: "metadata.resourceVersion" } })),
    get("with initial events and no match", `${CM}?watch=true&sendInitialEvents=true`),
    get("with a match and no initial events", `${CM}?watch=true&resourceVersionMatch=NotOlderThan`),
    get("with another match", `${CM}?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact`),
    get("of a version that is no number", `${CM}?watch=true&resourceVersion=x`),
    get("of a bad selector", `${CM}?watch=true&labelSelector=a b`),
    get("of an unsupported field", `${CM}?watch=true&fieldSelector=data.a%3Db`),
    get("of a bad time", `${CM}?watch=true&timeoutSeconds=x`),
    get("of a short time", `${CM}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dnone`),
    get("that asks for text", `${CM}?watch=true`, { headers: { accept: "text/html" } }),
    get("in the old way", "/api/v1/watch/namespaces/{ns}/configmaps?timeoutSeconds=1&fieldSelector=metadata.name%3Dnone"),
    get("of one object", `${ns("configmaps", "two")}?watch=true`, {
      during: [mergePatch("m", ns("configmaps", "two"), { data: { z: "1" } }), ...changes("ten")],
    }),
    get("of pods as a table", `${ns("pods")}?watch=true`, { headers: TABLE, during: [post("p", ns("pods"), pod("p"))] }),
    get("of a pod's deletion", `${ns("pods")}?watch=true`, {
      during: [post("q", ns("pods"), pod("q", { nodeName: "n" })), del("dq", ns("pods", "q")), del("dq0", ns("pods", "q"), { gracePeriodSeconds: 0 })],
    }),
    get("of an object with a finalizer", `${CM}?watch=true&fieldSelector=metadata.name%3Dfin`, {
      during: [
        post("f", CM, configMap({ name: "fin", finalizers: ["e.io/a"] })),
        del("df", ns("configmaps", "fin")),
        mergePatch("mf", ns("configmaps", "fin"), { metadata: { finalizers: null } }),
      ],
    }),
    get("of a write that changes nothing", `${CM}?watch=true&fieldSelector=metadata.name%3Dtwo`, {
      during: [mergePatch("nothing", ns("configmaps", "two"), {}), mergePatch("again", ns("configmaps", "two"), { data: { z: "1" } })],
    }),
    get("of a dry run", `${CM}?watch=true&fieldSelector=metadata.name%3Ddry`, { during: [post("dry", `${CM}?dryRun=All`, configMap("dry"))] }),
    get("of a collection's delete", `${CM}?watch=true&resourceVersion={{version}}&labelSelector=g%3Dg`, {
      during: [
        post("g1", CM, configMap({ name: "g1", labels: { g: "g" } })),
        post("g2", CM, configMap({ name: "g2", labels: { g: "g" } })),
        del("dg", `${CM}?labelSelector=g%3Dg`),
      ],
    }),
  ]),
];
