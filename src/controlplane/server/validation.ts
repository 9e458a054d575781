import type { Logger } from "../../base/index.ts";
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
  return ({ operation, resource, object }) => {
    if (operation !== "CREATE" && operation !== "UPDATE") return { allowed: true };
    const labels = { group: resource.group, resource: resource.resource, version: resource.version };
    const { error, warnings } = validate(object);
    if (error === undefined) {
      passed.add(labels);
      return { allowed: true, warnings };
    }
    failed.add({ group: labels.group, reason: "invalid_resource", resource: labels.resource, version: labels.version });
    log.info("configuration is invalid", { kind: object.kind, name: `${object.metadata.namespace ?? ""}/${object.metadata.name}`, error });
    return { allowed: false, message: `configuration is invalid: ${error}`, warnings };
  };
}
