import { ChainmailError, type Logger } from "../../base/index.ts";
import type { Pod } from "../../resources/index.ts";
import type { MetricsRegistry } from "../debug/metrics.ts";
import type { AdmissionAnswer, AdmissionRequest } from "./admission.ts";
import { injectSidecar } from "./inject.ts";
import { diff } from "./json-patch.ts";
import { injectionRequired } from "./policy.ts";
import type { InjectionContext } from "./settings.ts";

/** Istio's buckets. */
const TIME_BUCKETS = [0.1, 1, 3, 5, 10, 20, 30, 60];

/** The answer to `POST /inject…`: a patch, nothing, or a refusal. */
export function createInjector(options: {
  context: () => InjectionContext;
  metrics: MetricsRegistry;
  log: Logger;
}): (request: AdmissionRequest, path: string) => AdmissionAnswer {
  const { metrics, log } = options;
  const requests = metrics.counter("sidecar_injection_requests_total", "Total number of sidecar injection requests.");
  const successes = metrics.counter("sidecar_injection_success_total", "Total number of successful sidecar injection requests.");
  const failures = metrics.counter("sidecar_injection_failure_total", "Total number of failed sidecar injection requests.");
  const skips = metrics.counter("sidecar_injection_skip_total", "Total number of skipped sidecar injection requests.");
  const time = metrics.histogram("sidecar_injection_time_seconds", "Total time taken for injection in seconds.", TIME_BUCKETS);

  return ({ namespace: requested, object }, path) => {
    const started = performance.now();
    requests.add();
    const pod = object as Pod;
    const namespace = requested || pod.metadata.namespace || "default";
    const name = pod.metadata.name || pod.metadata.generateName || "";
    const context = { ...options.context(), ...pathParameters(path) };
    try {
      if (!injectionRequired(pod, namespace, context.values)) {
        skips.add();
        return { allowed: true };
      }
      const patch = diff(pod, injectSidecar(pod, namespace, context));
      successes.add();
      log.info("injected", { pod: `${namespace}/${name}` });
      return { allowed: true, patch };
    } catch (thrown) {
      if (!(thrown instanceof ChainmailError)) throw thrown;
      failures.add();
      log.warn("injection failed", { pod: `${namespace}/${name}`, error: thrown.message });
      return { allowed: false, message: `Pod injection failed: ${thrown.message}` };
    } finally {
      time.observe((performance.now() - started) / 1000);
    }
  };
}

/** `/inject/cluster/<id>/net/<network>`: how one control plane serves several clusters. */
function pathParameters(path: string): { cluster?: string; network?: string } {
  const [, , ...parts] = path.split("/");
  const out: { cluster?: string; network?: string } = {};
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const value = decodeURIComponent(parts[i + 1] ?? "");
    if (parts[i] === "cluster") out.cluster = value;
    else if (parts[i] === "net") out.network = value;
  }
  return out;
}
