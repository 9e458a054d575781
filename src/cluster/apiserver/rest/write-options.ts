import { type FieldError, invalidField } from "../../../resources/index.ts";
import type { ApiRequest } from "../http/exchange.ts";
import { invalid } from "../http/status.ts";

export interface WriteOptions {
  dryRun: boolean;
  /** Who owns what the request writes: the parameter, else the first word of the user agent. */
  manager: string;
  /** As given, "" when not. */
  fieldManager: string;
  fieldValidation: "Strict" | "Warn" | "Ignore";
  force: boolean | undefined;
}

const MAX_MANAGER_LENGTH = 128;

/** `kind`: CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, for the refusal. */
export function parseWriteOptions(request: ApiRequest, kind: string): WriteOptions {
  const { query } = request;
  const errors: FieldError[] = [];
  const dryRun = query.getAll("dryRun");
  for (const value of dryRun) if (value !== "All") errors.push(unsupported("dryRun", dryRun, ["All"]));
  const fieldManager = query.get("fieldManager") ?? "";
  if (fieldManager.length > MAX_MANAGER_LENGTH) {
    errors.push({ type: "FieldValueTooLong", field: "fieldManager", message: `Too long: may not be more than ${MAX_MANAGER_LENGTH} bytes` });
  }
  const unprintable = /\p{C}/u.exec(fieldManager);
  if (unprintable)
    errors.push(
      invalidField(
        "fieldManager",
        fieldManager,
        `invalid character U+${(unprintable[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")} (at position ${unprintable.index})`,
      ),
    );
  const fieldValidation = query.get("fieldValidation") || "Warn";
  if (!/^(Strict|Warn|Ignore)$/.test(fieldValidation)) errors.push(unsupported("fieldValidation", fieldValidation, ["", "Ignore", "Strict", "Warn"]));
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", plural: kind.toLowerCase(), kind }, "", errors);
  const force = query.get("force");
  return {
    dryRun: dryRun.length > 0,
    manager: fieldManager || (request.header("user-agent") ?? "").split("/")[0]?.slice(0, MAX_MANAGER_LENGTH) || "unknown",
    fieldManager,
    fieldValidation: fieldValidation as WriteOptions["fieldValidation"],
    force: force === null ? undefined : force === "true" || force === "1",
  };
}

function unsupported(field: string, value: unknown, supported: string[]): FieldError {
  const values = supported.map((one) => JSON.stringify(one)).join(", ");
  return { type: "FieldValueNotSupported", field, message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${values}` };
}
