import { load } from "js-yaml";

/** Templates of the installation's own, besides those that are built in or in their place. */
export interface CustomTemplates {
  readonly templates: ReadonlyMap<string, string>;
  /** What a pod gets that names none. */
  readonly defaultTemplates: readonly string[];
  /** Names for lists of templates. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** The values of the installation as templates see them. */
  readonly values: Readonly<Record<string, unknown>>;
}

const DEFAULT = ["sidecar"];
export const NO_TEMPLATES: CustomTemplates = { templates: new Map(), defaultTemplates: DEFAULT, aliases: {}, values: {} };

/**
 * What the ConfigMap istio-sidecar-injector says of templates: in its `values` under sidecarInjectorWebhook, as they are
 * given to installations, or in its `config`, where Istio keeps them. Throws what the parsers of JSON and YAML throw.
 */
export function parseTemplates(values: string, config: string): CustomTemplates {
  const all = record(JSON.parse(values === "" ? "{}" : values));
  const [installed, kept] = [record(all["sidecarInjectorWebhook"]), config.trim() === "" ? {} : record(load(config))];
  const templates = new Map<string, string>();
  for (const source of [kept, installed])
    for (const [name, text] of Object.entries(record(source["templates"]))) if (typeof text === "string") templates.set(name, text);
  const chosen = [names(installed["defaultTemplates"]), names(kept["defaultTemplates"])].find((list) => list.length > 0);
  const aliases = Object.fromEntries(
    Object.entries({ ...record(kept["aliases"]), ...record(installed["aliases"]) }).map(([name, list]) => [name, names(list)]),
  );
  return { templates, defaultTemplates: chosen ?? DEFAULT, aliases, values: all };
}

/** The templates of a pod: those of its annotation, a list with commas, or the default; aliases resolved. */
export function selectedTemplates(annotation: string | undefined, { defaultTemplates, aliases }: CustomTemplates): string[] {
  const wanted = annotation === undefined ? defaultTemplates : annotation.split(",").map((name) => name.trim());
  return wanted.flatMap((name) => aliases[name] ?? [name]);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
}
