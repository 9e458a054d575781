/** What a statistic is about; `name` and `namespace` are those of a Kubernetes Service, empty for other services. */
export interface StatSubject {
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
  readonly portName: string;
  readonly subset?: string;
  readonly targetPort?: number;
}

/**
 * The name that the mesh config's `inboundClusterStatName` or `outboundClusterStatName` gives statistics of a cluster;
 * undefined without a pattern, when the cluster's own name stays.
 */
export function patternedStatName(pattern: unknown, subject: StatSubject): string | undefined {
  if (typeof pattern !== "string" || pattern === "") return undefined;
  const { hostname, name, namespace, port, portName, subset = "", targetPort } = subject;
  const values: Record<string, string> = {
    SERVICE: name === "" ? hostname : `${name}.${namespace}`,
    SERVICE_NAME: name || hostname,
    SERVICE_FQDN: hostname,
    SERVICE_PORT: String(port),
    SERVICE_PORT_NAME: portName,
    SUBSET_NAME: subset,
    // A chain's statistics have no target port, and the words stay as they are.
    ...(targetPort !== undefined && { TARGET_PORT: String(targetPort) }),
  };
  return pattern.replace(/%([A-Z_]+)%/g, (whole, word: string) => values[word] ?? whole);
}

/** The part of a subject that a service of the registry says. */
export function statService(service: {
  hostname: string;
  name: string;
  namespace: string;
  registry: string;
}): Pick<StatSubject, "hostname" | "name" | "namespace"> {
  const kubernetes = service.registry === "Kubernetes";
  return { hostname: service.hostname, name: kubernetes ? service.name : "", namespace: kubernetes ? service.namespace : "" };
}
