import { dump } from "js-yaml";
import type { ConfigMap } from "../../resources/index.ts";
import { componentLabels } from "./labels.ts";
import { injectionValues, revisionSuffix, type InstallValues } from "./values.ts";

/** The mesh's own configuration, and what the injection webhook is told. */
export function configMaps(values: InstallValues): ConfigMap[] {
  const { namespace } = values;
  const suffix = revisionSuffix(values);
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `istio${suffix}`, namespace, labels: componentLabels(values, "istiod", "Pilot") },
      // Without a newline at the end, as Istio's: `kubectl get -o yaml` then shows a block of "|-".
      data: { mesh: dump(meshConfig(values), { sortKeys: true, lineWidth: -1, seqNoIndent: true }).trimEnd(), meshNetworks: "networks: {}" },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `istio-sidecar-injector${suffix}`, namespace, labels: { ...componentLabels(values, "istiod", "Pilot"), istio: "sidecar-injector" } },
      data: { values: JSON.stringify(injectionValues(values), null, 2) },
    },
  ];
}

/** The demo profile's mesh config. Its providers name services that a user may add; nothing uses them until then. */
export function meshConfig(values: InstallValues): Record<string, unknown> {
  return {
    accessLogFile: "/dev/stdout",
    // What is the usual case is not written: the mesh config stays as Istio's.
    defaultConfig: {
      discoveryAddress: `istiod${revisionSuffix(values)}.${values.namespace}.svc:15012`,
      ...(values.proxy === "envoy" && { proxyMetadata: { CHAINMAIL_PROXY: "envoy" } }),
    },
    defaultProviders: { metrics: ["prometheus"] },
    enablePrometheusMerge: true,
    extensionProviders: [
      { name: "otel", envoyOtelAls: { port: 4317, service: "opentelemetry-collector.observability.svc.cluster.local" } },
      { name: "skywalking", skywalking: { port: 11800, service: "tracing.istio-system.svc.cluster.local" } },
      { name: "otel-tracing", opentelemetry: { port: 4317, service: "opentelemetry-collector.observability.svc.cluster.local" } },
      { name: "jaeger", opentelemetry: { port: 4317, service: "jaeger-collector.istio-system.svc.cluster.local" } },
    ],
    rootNamespace: values.namespace,
    trustDomain: values.trustDomain,
    ...values.meshConfig,
  };
}
