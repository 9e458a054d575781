const NAME_LABELS = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
const REVISION_LABELS = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];

/** The service and revision that a workload counts as in telemetry. */
export function canonicalService(labels: Readonly<Record<string, string>>, workload: string): { name: string; revision: string } {
  const first = (names: readonly string[]): string | undefined => names.map((name) => labels[name]).find((value) => value !== undefined);
  return { name: first(NAME_LABELS) ?? workload, revision: first(REVISION_LABELS) ?? "latest" };
}
