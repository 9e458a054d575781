import type { Service } from "../../resources/index.ts";

/** Where pods find the API, should no Service `default/kubernetes` say it. */
export interface KubernetesAddress {
  host: string;
  port: number;
}

/**
 * The variables that Kubernetes sets for services: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT[_<PORT NAME>]` and the older
 * `NAME_PORT_<port>_TCP…` forms; `kubernetes` always, those of the pod's namespace when service links are on.
 */
export function serviceEnv(services: Service[], options: { namespace: string; links: boolean; kubernetes: KubernetesAddress }): Record<string, string> {
  const env: Record<string, string> = {};
  const master = services.find((s) => s.metadata.namespace === "default" && s.metadata.name === "kubernetes" && hasAddress(s));
  Object.assign(env, variables(master ?? fallbackService(options.kubernetes)));
  if (!options.links) return env;
  for (const service of services) {
    if (service.metadata.namespace === options.namespace && hasAddress(service)) Object.assign(env, variables(service));
  }
  return env;
}

function hasAddress(service: Service): boolean {
  const ip = service.spec?.clusterIP;
  return ip !== undefined && ip !== "" && ip !== "None" && (service.spec?.ports?.length ?? 0) > 0;
}

function variables(service: Service): Record<string, string> {
  const env: Record<string, string> = {};
  const name = envName(service.metadata.name);
  const ip = service.spec?.clusterIP ?? "";
  const ports = service.spec?.ports ?? [];
  const [first] = ports;
  if (!first) return env;
  env[`${name}_SERVICE_HOST`] = ip;
  env[`${name}_SERVICE_PORT`] = String(first.port);
  for (const port of ports) if (port.name) env[`${name}_SERVICE_PORT_${envName(port.name)}`] = String(port.port);
  for (const [index, port] of ports.entries()) {
    const protocol = port.protocol ?? "TCP";
    const url = `${protocol.toLowerCase()}://${ip}:${port.port}`;
    const prefix = `${name}_PORT_${port.port}_${protocol}`;
    if (index === 0) env[`${name}_PORT`] = url;
    env[prefix] = url;
    env[`${prefix}_PROTO`] = protocol.toLowerCase();
    env[`${prefix}_PORT`] = String(port.port);
    env[`${prefix}_ADDR`] = ip;
  }
  return env;
}

function envName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}

function fallbackService({ host, port }: KubernetesAddress): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default" },
    spec: { clusterIP: host, ports: [{ name: "https", port, protocol: "TCP" }] },
  };
}
