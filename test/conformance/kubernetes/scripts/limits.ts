import type { Script } from "../types.ts";
import { ns, object, pause, pod, post, script, setup } from "./dsl.ts";

const limits = (...all: object[]): object => object("v1", "LimitRange", "limits", { spec: { limits: all } });
const resources = (requests: object | undefined, most: object | undefined): object => ({ resources: { ...(requests && { requests }), ...(most && { limits: most }) } });
const container = (name: string, more: object = {}): object => ({ name, image: "i:1", ...more });
const claim = (name: string, storage: string): object => object("v1", "PersistentVolumeClaim", name, { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } } });
/** The real server reads LimitRanges from its cache. */
const CACHED_MS = 500;

/** A namespace with limits and what pods become in it, or why not. */
const within = (name: string, limit: object, cases: [title: string, spec: object][]): Script =>
  script(name, [setup(post("limits", ns("limitranges"), limit)), pause(CACHED_MS), ...cases.map(([title, spec], index) => post(title, ns("pods"), pod(`p${index}`, spec)))]);

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
    ["fits", { containers: [container("c", resources({ cpu: "60m", memory: "512Mi" }, { memory: "512Mi" })), container("d", resources({ cpu: "60m" }, { memory: "512Mi" }))] }],
    ["is too large together", { containers: [container("c", resources({ cpu: "1", memory: "512Mi" }, { memory: "600Mi" })), container("d", resources({ cpu: "1" }, { memory: "600Mi" }))] }],
    ["is too large before", { containers: [container("c", resources({ cpu: "1" }, { memory: "1Gi" }))], initContainers: [container("i", resources({ cpu: "1" }, { memory: "2Gi" }))] }],
    ["is too small together", { containers: [container("c", resources({ cpu: "10m" }, { memory: "1Gi" }))] }],
    ["has a sidecar", { containers: [container("c", resources({ cpu: "1" }, { memory: "600Mi" }))], initContainers: [{ ...container("i", resources({ cpu: "1" }, { memory: "600Mi" })), restartPolicy: "Always" }] }],
  ]),
  script("limit ranges: bounds of claims", [
    setup(post("limits", ns("limitranges"), limits({ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "10Gi" } }))),
    pause(CACHED_MS),
    post("too small", ns("persistentvolumeclaims"), claim("a", "100Mi")),
    post("too large", ns("persistentvolumeclaims"), claim("b", "20Gi")),
  ]),
];
