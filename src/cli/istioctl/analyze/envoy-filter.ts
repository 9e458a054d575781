import type { KubeObject } from "../../../resources/types.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { list, object, spec, text, type Json } from "./world.ts";

/** What these apply to is a whole, which nothing can be added to or removed from. */
const WHOLES = new Set(["ROUTE_CONFIGURATION", "HTTP_ROUTE"]);
const REPLACEABLE = new Set(["NETWORK_FILTER", "HTTP_FILTER", "VIRTUAL_HOST"]);

export const envoyPatches: Analyzer = {
  name: "envoyfilter.EnvoyPatchAnalyzer",
  description: "Checks an envoyFilters ",
  needs: [],
  run(world) {
    // Names that patches for one proxy version have touched: a relative patch on them may come too late.
    const versioned = new Set<string>();
    return world.kind("EnvoyFilter").flatMap((about) => {
      const findings: Finding[] = [];
      for (const [index, entry] of list(spec(about).configPatches).entries()) {
        if (entry.patch === undefined) break;
        findings.push(...patchFindings(about, entry, `.spec.configPatches[${index}].patch.value`, versioned));
        if (text(object(object(entry.match).proxy).proxyVersion) !== "") versioned.add(patchedName(entry));
      }
      return findings;
    });
  },
};

function patchFindings(about: KubeObject, entry: Json, path: string, versioned: ReadonlySet<string>): Finding[] {
  const applyTo = text(entry.applyTo);
  const wrong = (code: string, message: string): Finding[] => [{ code, about, message, path }];
  switch (text(object(entry.patch).operation)) {
    case "ADD":
      return WHOLES.has(applyTo) ? wrong("IST0153", "The ADD operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.") : [];
    case "REMOVE":
      return WHOLES.has(applyTo)
        ? wrong("IST0154", "The REMOVE operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.")
        : relative(about, entry, path, versioned);
    case "REPLACE":
      return REPLACEABLE.has(applyTo)
        ? relative(about, entry, path, versioned)
        : wrong("IST0152", "The REPLACE operation is only valid for HTTP_FILTER and NETWORK_FILTER.");
    case "INSERT_BEFORE":
    case "INSERT_AFTER":
      return relative(about, entry, path, versioned);
    default:
      return [];
  }
}

/** A patch that stands in relation to others depends on their order, unless a priority settles it. */
function relative(about: KubeObject, entry: Json, path: string, versioned: ReadonlySet<string>): Finding[] {
  if (Number(spec(about).priority ?? 0) !== 0) return [];
  if (versioned.has(patchedName(entry))) {
    return [
      {
        code: "IST0155",
        about,
        message:
          "This EnvoyFilter does not have a priority and has a relative patch operation (NSTERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and proxyVersion set which can cause the EnvoyFilter not to be applied during an upgrade. Using the INSERT_FIRST or ADD option or setting the priority may help in ensuring the EnvoyFilter is applied correctly.",
        path,
      },
    ];
  }
  return [
    {
      code: "IST0151",
      about,
      message:
        "This EnvoyFilter does not have a priority and has a relative patch operation set which can cause the EnvoyFilter not to be applied. Using the INSERT_FIRST of ADD option or setting the priority may help in ensuring the EnvoyFilter is applied correctly.",
      path,
    },
  ];
}

/** The name that a patch gives or, where its value has none, the filter that it looks for. */
function patchedName({ patch, match }: Json): string {
  const { value } = object(patch);
  if (typeof value !== "object" || value === null) return "";
  const given = object(value).name;
  if (given !== undefined) return `value ${JSON.stringify(given)}`;
  return text(object(object(object(object(match).listener).filterChain).filter).name);
}
