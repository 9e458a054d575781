import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What is known of a type. */
export interface Explanation {
  text?: string;
  fields?: Record<string, ExplainedField>;
  /** Of a custom kind, whose types have no names: the text of each field by its path, without lists and maps (spec.mtls.mode). */
  paths?: Record<string, string>;
}

export interface ExplainedField {
  text?: string;
  /** string, integer, boolean, object or a type's full name; `[]` and `map[string]` before it. */
  form: string;
  required?: boolean;
  enum?: string[];
}

/** By the full name of a component: io.k8s.api.core.v1.PodSpec. */
export type Explanations = Record<string, Explanation>;

/** What `npm run generate` makes of Kubernetes' own descriptions. */
const FILE = join(import.meta.dir, "gen/explanations.json");
const STAMP = join(import.meta.dir, "gen/.stamp");

/** Tells one generation of the file from another; "" where it was never generated. */
export function explanationsStamp(): string {
  return existsSync(STAMP) ? readFileSync(STAMP, "utf8") : "";
}

/** Half a megabyte of text, read when a document is asked for and not kept; nothing where it was never generated. */
export function readExplanations(): Explanations {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Explanations) : {};
}
