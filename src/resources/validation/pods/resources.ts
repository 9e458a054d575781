import { canonicalQuantity, parseQuantity } from "../../defaults/quantity.ts";
import type { FieldError } from "../../types.ts";
import { forbidden, invalid, invalids } from "../field.ts";
import { qualifiedName } from "../names.ts";

type Amounts = Record<string, string | number>;

interface Requirements {
  limits?: Amounts;
  requests?: Amounts;
  claims?: { name?: string }[];
}

const STANDARD = new Set(["cpu", "memory", "ephemeral-storage"]);
/** What a resource without a domain may be called, if only of quotas. */
const KNOWN = new Set([...STANDARD, "storage", "pods", "requests", "limits"]);
const WHOLE = new Set(["pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims"]);

const isHugePages = (name: string) => name.startsWith("hugepages-");
const isNative = (name: string) => !name.includes("/") || name.includes("kubernetes.io/");
const isExtended = (name: string) => !isNative(name) && !name.startsWith("requests.") && qualifiedName(`requests.${name}`).length === 0;

export function validateResources(
  { limits = {}, requests = {}, claims = [] }: Requirements,
  field: string,
  claimNames: ReadonlySet<string> = new Set(),
): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, amount] of Object.entries(limits)) errors.push(...validateAmount(name, amount, `${field}.limits[${name}]`));
  for (const [name, amount] of Object.entries(requests)) {
    errors.push(...validateAmount(name, amount, `${field}.requests[${name}]`));
    const limit = limits[name];
    const [asked, allowed] = [parseQuantity(String(amount)), limit === undefined ? undefined : parseQuantity(String(limit))];
    const exact = isExtended(name) || isHugePages(name);
    if (asked && allowed && exact && asked.nanos !== allowed.nanos)
      errors.push(invalid(`${field}.requests`, canonicalQuantity(amount), `must be equal to ${name} limit of ${String(canonicalQuantity(limit))}`));
    else if (asked && allowed && asked.nanos > allowed.nanos)
      errors.push(
        invalid(`${field}.requests`, canonicalQuantity(amount), `must be less than or equal to ${name} limit of ${String(canonicalQuantity(limit))}`),
      );
    else if (exact && limit === undefined)
      errors.push({ type: "FieldValueRequired", field: `${field}.limits`, message: "Required value: Limit must be set for non overcommitable resources" });
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes("cpu") && !names.includes("memory")) errors.push(forbidden(field, "HugePages require cpu or memory"));
  for (const [index, { name = "" }] of claims.entries()) {
    if (!claimNames.has(name))
      errors.push({
        type: "FieldValueNotFound",
        field: `${field}.claims[${index}]`,
        message: `Not found: ${JSON.stringify(name)}${claimNames.size === 0 ? ": must be one of the names in pod.spec.resourceClaims which is empty" : ": must be one of the names in pod.spec.resourceClaims"}`,
      });
  }
  return errors;
}

function validateAmount(name: string, amount: string | number, field: string): FieldError[] {
  const errors = invalids(field, name, qualifiedName(name));
  if (!name.includes("/") && errors.length === 0 && !KNOWN.has(name) && !isHugePages(name))
    errors.push(invalid(field, name, "must be a standard resource type or fully qualified"));
  if (!name.includes("/") && !STANDARD.has(name) && !isHugePages(name)) errors.push(invalid(field, name, "must be a standard resource for containers"));
  else if (!isNative(name) && !isExtended(name)) errors.push(invalid(field, name, "doesn't follow extended resource name standard"));
  const quantity = parseQuantity(String(amount));
  if (!quantity) return errors;
  if (quantity.nanos < 0n) errors.push(invalid(field, canonicalQuantity(amount), "must be greater than or equal to 0"));
  if ((isExtended(name) || WHOLE.has(name)) && quantity.nanos % 1_000_000_000n !== 0n)
    errors.push(invalid(field, canonicalQuantity(amount), "must be an integer"));
  return errors;
}
