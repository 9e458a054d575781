import { errorText, type Logger } from "../../base/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import type { MetricsRegistry } from "../debug/index.ts";
import type { AdmissionAnswer, AdmissionRequest } from "../injection/index.ts";

/** Istio's own rules for one of its resources: what is wrong with it, in Istio's words, and what is merely odd. */
export type IstioValidator = (object: KubeObject) => { error: string | undefined; warnings: string[] };

/** The answer to `POST /validate`. */
export function createValidator(options: { validate: IstioValidator; metrics: MetricsRegistry; log: Logger }): (request: AdmissionRequest) => AdmissionAnswer {
  const { validate, metrics, log } = options;
  const passed = metrics.counter("galley_validation_passed", "Resource is valid");
  const failed = metrics.counter("galley_validation_failed", "Resource validation failed");
  /** Rules take a resource's schema as checked; where a cluster's CRDs are laxer than ours, a fault of theirs is a refusal. */
  const check: IstioValidator = (object) => {
    try {
      return validate(object);
    } catch (thrown) {
      log.error("a resource could not be checked", { kind: object.kind, error: errorText(thrown) });
      return { error: `the ${object.kind} does not have the structure of its kind`, warnings: [] };
    }
  };
  return ({ operation, dryRun, resource, object }) => {
    if (operation !== "CREATE" && operation !== "UPDATE") return { allowed: true };
    const labels = { group: resource.group, resource: resource.resource, version: resource.version };
    const { error, warnings } = check(object);
    if (error === undefined) {
      passed.add(labels);
      return { allowed: true, warnings };
    }
    failed.add({ group: labels.group, reason: "invalid_resource", resource: labels.resource, version: labels.version });
    log[dryRun ? "debug" : "info"]("configuration is invalid", {
      kind: object.kind,
      name: `${object.metadata.namespace ?? ""}/${object.metadata.name}`,
      error,
    });
    return { allowed: false, message: `configuration is invalid: ${error}`, warnings };
  };
}
