import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError, errorText } from "../../base/index.ts";
import type { KubeObject } from "../../resources/types.ts";

/** A task in steps. Names of workloads are `NAMESPACE/WORKLOAD`. */
export interface Guide {
  id: string;
  title: string;
  about: string;
  /** Workloads that must be there before the first step, and how to get them. */
  needs: { workloads: string[]; hint: string };
  steps: GuideStep[];
}

export interface GuideStep {
  number: number;
  /** Steps of one section stand under its title. */
  section: string;
  title: string;
  text: string;
  /** What one would type in a terminal instead. */
  command: string;
  run?: Run;
  done: Condition;
}

/** What the page runs in the place of the command. */
export type Run =
  /** An API path of objects, printed as kubectl prints them. */
  | { kind: "table"; path: string }
  /** One object as YAML, or the lines of it that have one of these words. */
  | { kind: "object"; path: string; lines?: string[] }
  /** Fields of a workload's pod, as YAML. */
  | { kind: "pod"; workload: string; container: string }
  | { kind: "apply"; objects: KubeObject[] }
  | { kind: "exec"; workload: string; container: string; command: string[] }
  /** The certificates that a workload's proxy holds: all in a table, or parts of its own. */
  | { kind: "certificate"; workload: string; show: "table" | "issuer" | "validity" | "names" }
  /** How a workload's proxy takes connections on one listener, as istiod sends it. */
  | { kind: "listener"; workload: string; listener: string };

/** When a step is done. All but `shown` are watched; `shown` asks that its run was looked at and had these texts. */
export type Condition =
  | { kind: "none"; resource: string }
  | { kind: "object"; resource: string; namespace: string; name: string; field?: string; value?: string }
  | { kind: "workload"; workload: string; sidecar: boolean }
  | { kind: "traffic"; from: string; to: string; security: "mutual_tls" | "refused"; atLeast: number }
  | { kind: "edges"; edges: [from: string, to: string][] }
  | { kind: "shown"; patterns: string[] };

/** A file of guides is small; beyond this it is none. */
const MAX_BYTES = 1 << 20;

/** All guides in a folder, by their ids; none where there is no such folder. */
export function readGuides(folder: string): Guide[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      if (text.length > MAX_BYTES) throw new ChainmailError("GUIDE_INVALID", `${name} is larger than ${MAX_BYTES} bytes`);
      return parseGuide(JSON.parse(text));
    });
}

/** Checks the outline, on which pages and watchers rely. Throws GUIDE_INVALID with the place. */
export function parseGuide(value: unknown): Guide {
  try {
    const guide = fields(value, "the guide");
    const { workloads, hint } = fields(guide.needs, "needs");
    return {
      id: text(guide.id, "id"),
      title: text(guide.title, "title"),
      about: text(guide.about, "about"),
      needs: { workloads: texts(workloads, "needs.workloads"), hint: text(hint, "needs.hint") },
      steps: list(guide.steps, "steps").map(step),
    };
  } catch (thrown) {
    throw new ChainmailError("GUIDE_INVALID", `this is no guide: ${errorText(thrown)}`);
  }
}

type Fields = Record<string, unknown>;

/** The fields that each kind must have, with what they hold. */
const RUNS: Record<string, Record<string, "text" | "texts" | "list">> = {
  table: { path: "text" },
  object: { path: "text" },
  pod: { workload: "text", container: "text" },
  apply: { objects: "list" },
  exec: { workload: "text", container: "text", command: "texts" },
  certificate: { workload: "text", show: "text" },
  listener: { workload: "text", listener: "text" },
};
const CONDITIONS: Record<string, Record<string, "text" | "texts" | "list" | "number" | "flag">> = {
  none: { resource: "text" },
  object: { resource: "text", namespace: "text", name: "text" },
  workload: { workload: "text", sidecar: "flag" },
  traffic: { from: "text", to: "text", security: "text", atLeast: "number" },
  edges: { edges: "list" },
  shown: { patterns: "texts" },
};

function step(value: unknown, index: number): GuideStep {
  const at = `steps[${index}]`;
  const { number, section, title, text: words, command, run, done } = fields(value, at);
  if (typeof number !== "number") throw new Error(`${at}.number is no number`);
  return {
    number,
    section: text(section, `${at}.section`),
    title: text(title, `${at}.title`),
    text: text(words, `${at}.text`),
    command: text(command, `${at}.command`),
    ...(run !== undefined && { run: ofKind<Run>(run, RUNS, `${at}.run`) }),
    done: ofKind<Condition>(done, CONDITIONS, `${at}.done`),
  };
}

function ofKind<T>(value: unknown, kinds: Record<string, Record<string, string>>, at: string): T {
  const object = fields(value, at);
  const wanted = kinds[text(object.kind, `${at}.kind`)];
  if (!wanted) throw new Error(`${at}.kind is none of ${Object.keys(kinds).join(", ")}`);
  for (const [name, type] of Object.entries(wanted)) {
    const field = object[name];
    if (type === "text") text(field, `${at}.${name}`);
    else if (type === "texts") texts(field, `${at}.${name}`);
    else if (type === "list") list(field, `${at}.${name}`);
    else if (typeof field !== (type === "flag" ? "boolean" : "number")) throw new Error(`${at}.${name} is no ${type}`);
  }
  return object as T;
}

function fields(value: unknown, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${at} is no object`);
  return value as Fields;
}

function list(value: unknown, at: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${at} is no list`);
  return value;
}

function text(value: unknown, at: string): string {
  if (typeof value !== "string") throw new Error(`${at} is no text`);
  return value;
}

function texts(value: unknown, at: string): string[] {
  return list(value, at).map((item, index) => text(item, `${at}[${index}]`));
}
