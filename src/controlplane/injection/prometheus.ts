/** The agent serves the app's metrics and the proxy's together, so the scraper is sent to the agent. */
export interface MergedMetrics {
  annotations: Record<string, string>;
  /** The value of ISTIO_PROMETHEUS_ANNOTATIONS: where the app's own metrics are; undefined when the app named none. */
  app: string | undefined;
}

const KEYS = ["scrape", "path", "port"] as const;

/** undefined when the pod does not want to be scraped, or wants its annotations left alone. */
export function mergeMetrics(annotations: Readonly<Record<string, string>>, enabled: boolean, statusPort: number): MergedMetrics | undefined {
  const own: Partial<Record<(typeof KEYS)[number], string>> = {};
  const rest: Record<string, string> = {};
  for (const [name, value] of Object.entries(annotations)) {
    // Prometheus takes any punctuation between the parts, so users write it in several ways.
    const key = /^prometheus[^a-z]io[^a-z](scrape|path|port)$/.exec(name)?.[1] as (typeof KEYS)[number] | undefined;
    if (key) own[key] = value;
    else rest[name] = value;
  }
  const wanted = (annotations["prometheus.istio.io/merge-metrics"] ?? String(enabled)).toLowerCase() === "true";
  if (!wanted || own.scrape?.toLowerCase() === "false") return undefined;
  // A pod that was injected before names the agent's port: its app has no metrics of its own.
  const isOurs = own.port === String(statusPort);
  const hasOwn = !isOurs && KEYS.some((key) => own[key] !== undefined);
  return {
    annotations: { ...rest, "prometheus.io/path": "/stats/prometheus", "prometheus.io/port": String(statusPort), "prometheus.io/scrape": "true" },
    app: hasOwn ? JSON.stringify({ scrape: own.scrape ?? "", path: own.path ?? "", port: own.port ?? "" }) : undefined,
  };
}
