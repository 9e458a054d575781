import type { FieldError } from "../../../resources/index.ts";
import type { ApiRequest } from "../http/exchange.ts";
import { invalid } from "../http/status.ts";
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
  const body: JsonObject = bytes.length > 0 ? await decodeBody(request, undefined, true) : fromQuery(request.query);
  const errors: FieldError[] = [];
  const { gracePeriodSeconds: grace, propagationPolicy: policy, orphanDependents: orphan, preconditions, dryRun } = body;
  if (grace !== undefined && grace !== null && !Number.isInteger(grace)) errors.push({ type: "FieldValueInvalid", field: "gracePeriodSeconds", message: `Invalid value: ${JSON.stringify(grace)}: must be an integer` });
  if (policy !== undefined && policy !== null && orphan !== undefined && orphan !== null) {
    errors.push({ type: "FieldValueInvalid", field: "propagationPolicy", message: `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set` });
  }
  if (policy !== undefined && policy !== null && policy !== "Background" && policy !== "Foreground" && policy !== "Orphan") {
    errors.push({ type: "FieldValueNotSupported", field: "propagationPolicy", message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"` });
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", plural: "deleteoptions", kind: "DeleteOptions" }, "", errors);
  const required = isObject(preconditions) ? preconditions : {};
  return {
    gracePeriodSeconds: typeof grace === "number" ? grace : undefined,
    propagationPolicy: typeof policy === "string" ? (policy as DeleteOptions["propagationPolicy"]) : orphan === true ? "Orphan" : orphan === false ? "Background" : undefined,
    preconditions: {
      ...(typeof required.uid === "string" ? { uid: required.uid } : {}),
      ...(typeof required.resourceVersion === "string" ? { resourceVersion: required.resourceVersion } : {}),
    },
    dryRun: (Array.isArray(dryRun) && dryRun.includes("All")) || request.query.getAll("dryRun").includes("All"),
  };
}

function fromQuery(query: URLSearchParams): JsonObject {
  const grace = query.get("gracePeriodSeconds");
  return {
    ...(grace !== null ? { gracePeriodSeconds: Number(grace) } : {}),
    ...(query.has("propagationPolicy") ? { propagationPolicy: query.get("propagationPolicy") } : {}),
    ...(query.has("orphanDependents") ? { orphanDependents: query.get("orphanDependents") === "true" } : {}),
  };
}
