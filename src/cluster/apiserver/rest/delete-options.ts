import type { FieldError } from "../../../resources/index.ts";
import type { ApiRequest } from "../http/exchange.ts";
import { invalid, StatusError } from "../http/status.ts";
import { isObject, type JsonObject } from "../json.ts";
import { decodeBody } from "./decode-body.ts";

export interface DeleteOptions {
  gracePeriodSeconds: number | undefined;
  propagationPolicy: "Background" | "Foreground" | "Orphan" | undefined;
  preconditions: { uid?: string; resourceVersion?: string };
  dryRun: boolean;
}

/** From the body, or where there is none from the query. Throws 400 and 422. */
export async function parseDeleteOptions(request: ApiRequest): Promise<DeleteOptions> {
  const bytes = await request.body();
  const body: JsonObject = bytes.length > 0 ? await decodeBody(request, undefined, true).catch(unreadable) : fromQuery(request.query);
  const { kind, apiVersion } = body;
  if (typeof kind === "string" && kind !== "" && kind !== "DeleteOptions")
    throw new StatusError(
      500,
      "",
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`,
    );
  const errors: FieldError[] = [];
  const { gracePeriodSeconds: grace, propagationPolicy: policy, orphanDependents: orphan, preconditions, dryRun } = body;
  if (grace !== undefined && grace !== null && !Number.isInteger(grace)) {
    throw new StatusError(
      500,
      "",
      `json: cannot unmarshal ${typeof grace === "boolean" ? "bool" : typeof grace} into Go struct field DeleteOptions.gracePeriodSeconds of type int64`,
    );
  }
  const modes = [...(Array.isArray(dryRun) ? (dryRun as unknown[]) : []), ...request.query.getAll("dryRun")];
  if (modes.some((mode) => mode !== "All"))
    errors.push({ type: "FieldValueNotSupported", field: "dryRun", message: `Unsupported value: ${JSON.stringify(modes)}: supported values: "All"` });
  if (policy !== undefined && policy !== null && orphan !== undefined && orphan !== null) {
    errors.push({
      type: "FieldValueInvalid",
      field: "propagationPolicy",
      message: `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
    });
  }
  if (policy !== undefined && policy !== null && policy !== "Background" && policy !== "Foreground" && policy !== "Orphan") {
    errors.push({
      type: "FieldValueNotSupported",
      field: "propagationPolicy",
      message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
    });
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", plural: "deleteoptions", kind: "DeleteOptions" }, "", errors);
  const required = isObject(preconditions) ? preconditions : {};
  return {
    gracePeriodSeconds: typeof grace === "number" ? grace : undefined,
    propagationPolicy:
      typeof policy === "string" ? (policy as DeleteOptions["propagationPolicy"]) : orphan === true ? "Orphan" : orphan === false ? "Background" : undefined,
    preconditions: {
      ...(typeof required.uid === "string" ? { uid: required.uid } : {}),
      ...(typeof required.resourceVersion === "string" ? { resourceVersion: required.resourceVersion } : {}),
    },
    dryRun: modes.length > 0,
  };
}

/** The real server takes options that it cannot read for a fault of its own. */
function unreadable(error: unknown): never {
  throw error instanceof StatusError && error.status.code === 400 ? new StatusError(500, "", error.message) : error;
}

function fromQuery(query: URLSearchParams): JsonObject {
  const grace = query.get("gracePeriodSeconds");
  return {
    ...(grace !== null ? { gracePeriodSeconds: Number(grace) } : {}),
    ...(query.has("propagationPolicy") ? { propagationPolicy: query.get("propagationPolicy") } : {}),
    ...(query.has("orphanDependents") ? { orphanDependents: query.get("orphanDependents") === "true" } : {}),
  };
}
