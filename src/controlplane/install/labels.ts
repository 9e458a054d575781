import type { InstallValues } from "./values.ts";

/** Labels that tools select on (`app`, `istio`, `istio.io/rev`, `operator.istio.io/component`) and that people read. */
export function componentLabels(values: InstallValues, app: string, component: string, istio?: string): Record<string, string> {
  return {
    ...nameLabels(values, app),
    "install.operator.istio.io/owning-resource": "unknown",
    ...(istio ? { istio } : {}),
    "istio.io/rev": values.revision,
    "operator.istio.io/component": component,
  };
}

export function nameLabels(values: InstallValues, app: string): Record<string, string> {
  return {
    app,
    "app.kubernetes.io/instance": "istio",
    "app.kubernetes.io/managed-by": "chainmail",
    "app.kubernetes.io/name": app,
    "app.kubernetes.io/part-of": "istio",
    "app.kubernetes.io/version": values.version,
    release: "istio",
  };
}
