import type { CrdSpec, CrdVersion, CustomResourceDefinition } from "../core.ts";
import type { FieldError } from "../types.ts";
import { forbidden, immutable, invalid, invalids, notSupported, oneOf, required, sameJson } from "./field.ts";
import { dns1035Label, dns1123Subdomain } from "./names.ts";
import { validateStructural } from "./structural.ts";

type Columns = NonNullable<CrdVersion["additionalPrinterColumns"]>;
type Subresources = NonNullable<CrdVersion["subresources"]>;

const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];

/**
 * A definition of custom resources. Where all versions agree on their schema, columns or subresources, the real server
 * holds them once, and its refusals name that place instead of each version's.
 */
export function validateCrd(crd: CustomResourceDefinition): FieldError[] {
  const spec = crd.spec as CrdSpec | undefined;
  if (!spec?.names) return [required("spec.names")];
  const errors: FieldError[] = [];
  if (crd.metadata.name !== `${spec.names.plural}.${spec.group}`)
    errors.push(invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  errors.push(...validateGroup(spec.group), ...oneOf("spec.scope", spec.scope, ["Cluster", "Namespaced"]));
  const versions = spec.versions ?? [];
  const shared = <K extends "schema" | "subresources" | "additionalPrinterColumns">(key: K): boolean =>
    versions.length > 0 && versions.every((version) => sameJson(version[key], versions[0]?.[key]));
  const place = { schema: shared("schema"), subresources: shared("subresources"), additionalPrinterColumns: shared("additionalPrinterColumns") };
  errors.push(...validateVersions(versions, place, spec.preserveUnknownFields === true));
  errors.push(...validateNames(spec.names));
  const [first] = versions;
  if (first && place.schema && first.schema?.openAPIV3Schema)
    errors.push(...validateStructural(first.schema.openAPIV3Schema, "spec.validation.openAPIV3Schema"));
  if (first?.subresources && place.subresources) errors.push(...validateSubresources(first.subresources, "spec.subresources"));
  if (first?.additionalPrinterColumns && place.additionalPrinterColumns)
    errors.push(...validateColumns(first.additionalPrinterColumns, "spec.additionalPrinterColumns"));
  return [...errors, ...validateConversion(spec), ...validateStored(crd, versions)];
}

function validateGroup(group: string | undefined): FieldError[] {
  if (!group) return [required("spec.group")];
  const problems = dns1123Subdomain(group);
  if (problems.length > 0) return invalids("spec.group", group, problems);
  return group.includes(".") ? [] : [invalid("spec.group", group, "should be a domain with at least one dot")];
}

function validateNames(names: CrdSpec["names"]): FieldError[] {
  const errors: FieldError[] = [];
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  for (const [field, value] of Object.entries({ plural, singular }))
    errors.push(...(value ? invalids(`spec.names.${field}`, value, dns1035Label(value)) : [required(`spec.names.${field}`)]));
  for (const [field, value] of Object.entries({ kind, listKind })) {
    const problems = value ? dns1035Label(value.toLowerCase()).map((problem) => `may have mixed case, but should otherwise match: ${problem}`) : [];
    errors.push(...(value ? invalids(`spec.names.${field}`, value, problems) : [required(`spec.names.${field}`)]));
  }
  for (const [index, name] of shortNames.entries()) errors.push(...invalids(`spec.names.shortNames[${index}]`, name, dns1035Label(name)));
  if (kind && kind === listKind) errors.push(invalid("spec.names.listKind", listKind, "kind and listKind may not be the same"));
  for (const [index, category] of categories.entries()) errors.push(...invalids(`spec.names.categories[${index}]`, category, dns1035Label(category)));
  return errors;
}

type Shared = Record<"schema" | "subresources" | "additionalPrinterColumns", boolean>;

function validateVersions(versions: readonly CrdVersion[], shared: Shared, preserve: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (preserve)
    errors.push(
      invalid("spec.preserveUnknownFields", true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"),
    );
  for (const [index, version] of versions.entries()) {
    const field = `spec.versions[${index}]`;
    const { name = "", schema, subresources, additionalPrinterColumns } = version;
    errors.push(...invalids(`${field}.name`, name, dns1035Label(name)));
    if (!schema?.openAPIV3Schema) errors.push(required(`${field}.schema.openAPIV3Schema`));
    else if (!shared.schema) errors.push(...validateStructural(schema.openAPIV3Schema, `${field}.schema.openAPIV3Schema`));
    if (subresources && !shared.subresources) errors.push(...validateSubresources(subresources, `${field}.subresources`));
    if (additionalPrinterColumns && !shared.additionalPrinterColumns)
      errors.push(...validateColumns(additionalPrinterColumns, `${field}.additionalPrinterColumns`));
  }
  const shown = versions.map((version) => internalVersion(version, shared));
  if (new Set(versions.map(({ name }) => name)).size < versions.length) errors.push(invalid("spec.versions", shown, "must contain unique version names"));
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(invalid("spec.versions", shown, "must have exactly one version marked as storage version"));
  // The first version has an old field of its own.
  const [first] = versions;
  if (first?.name) errors.push(...invalids("spec.version", first.name, dns1035Label(first.name)));
  return errors;
}

/** A version as the real server holds it and shows it in refusals. */
function internalVersion(version: CrdVersion, shared: Shared): Record<string, unknown> {
  const own = version as CrdVersion & { deprecated?: boolean; deprecationWarning?: string; selectableFields?: unknown };
  return {
    Name: own.name,
    Served: own.served,
    Storage: own.storage,
    Deprecated: own.deprecated ?? false,
    DeprecationWarning: own.deprecationWarning ?? null,
    Schema: shared.schema ? null : (own.schema ?? null),
    Subresources: shared.subresources ? null : (own.subresources ?? null),
    AdditionalPrinterColumns: shared.additionalPrinterColumns ? null : (own.additionalPrinterColumns ?? null),
    SelectableFields: own.selectableFields ?? null,
  };
}

function validateSubresources({ scale }: Subresources, field: string): FieldError[] {
  if (!scale) return [];
  const paths: readonly [name: string, path: string | undefined, below: readonly string[]][] = [
    ["specReplicasPath", scale.specReplicasPath, [".spec"]],
    ["statusReplicasPath", scale.statusReplicasPath, [".status"]],
    ["labelSelectorPath", scale.labelSelectorPath, [".status", ".spec"]],
  ];
  return paths.flatMap(([name, path, below]) => {
    const at = `${field}.scale.${name}`;
    if (!path) return name === "labelSelectorPath" ? [] : [required(at)];
    if (!path.startsWith(".") || /[[\]]/.test(path)) return [invalid(at, path, "must be a simple json path starting with .")];
    if (below.some((parent) => path.startsWith(`${parent}.`))) return [];
    return [invalid(at, path, `should be a json path under ${below.length === 1 ? below[0] : "either .spec or .status"}`)];
  });
}

function validateColumns(columns: Columns, field: string): FieldError[] {
  return columns.flatMap((column, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (!column.name) errors.push(required(`${at}.name`));
    if (!column.type) errors.push(required(`${at}.type`, `must be one of ${COLUMN_TYPES.join(",")}`));
    else if (!COLUMN_TYPES.includes(column.type)) errors.push(invalid(`${at}.type`, column.type, `must be one of ${COLUMN_TYPES.join(",")}`));
    if (!column.jsonPath) errors.push(required(`${at}.JSONPath`));
    else if (!column.jsonPath.startsWith(".")) errors.push(invalid(`${at}.JSONPath`, column.jsonPath, "must be a simple json path starting with ."));
    return errors;
  });
}

function validateConversion({ conversion }: CrdSpec): FieldError[] {
  if (!conversion) return [];
  const { strategy = "", webhook } = conversion as { strategy?: string; webhook?: { clientConfig?: unknown; conversionReviewVersions?: string[] } };
  const field = "spec.conversion";
  if (strategy === "") return [required(`${field}.strategy`)];
  if (strategy !== "None" && strategy !== "Webhook") return [notSupported(`${field}.strategy`, strategy, ["None", "Webhook"])];
  if (strategy === "None") return webhook ? [forbidden(`${field}.webhookClientConfig`, "should not be set when strategy is not set to Webhook")] : [];
  return [
    ...(webhook?.clientConfig ? [] : [required(`${field}.webhookClientConfig`, "required when strategy is set to Webhook")]),
    ...(webhook?.conversionReviewVersions?.length ? [] : [required(`${field}.conversionReviewVersions`)]),
  ];
}

function validateStored({ status }: CustomResourceDefinition, versions: readonly CrdVersion[]): FieldError[] {
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalid("status.storedVersions", null, "must have at least one stored version")];
  const marked = versions.filter(({ storage }) => storage).map(({ name }) => name);
  return marked.filter((name) => !stored.includes(name)).map((name) => invalid("status.storedVersions", stored, `must have the storage version ${name}`));
}

export function validateCrdUpdate(crd: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const errors: FieldError[] = [];
  if (crd.spec?.group !== old.spec?.group) errors.push(immutable("spec.group", crd.spec?.group));
  if (crd.spec?.names?.plural !== old.spec?.names?.plural) errors.push(immutable("spec.names.plural", crd.spec?.names?.plural));
  if (crd.spec?.scope !== old.spec?.scope) errors.push(immutable("spec.scope", crd.spec?.scope));
  if (crd.spec?.names?.kind !== old.spec?.names?.kind) errors.push(immutable("spec.names.kind", crd.spec?.names?.kind));
  return errors;
}
