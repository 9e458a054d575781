import type { Container, ContainerPort, IntOrString, Probe, ProbeHandler } from "../../resources/index.ts";
import { PROXY_CONTAINER } from "./settings.ts";

/** What the agent needs to ask the app itself, by the path under which it is asked (ISTIO_KUBE_APP_PROBERS). */
type AppProbers = Record<
  string,
  { httpGet?: ProbeHandler["httpGet"]; tcpSocket?: ProbeHandler["tcpSocket"]; grpc?: ProbeHandler["grpc"]; timeoutSeconds?: number }
>;

const PROBES = [
  { field: "startupProbe", path: "startupz" },
  { field: "readinessProbe", path: "readyz" },
  { field: "livenessProbe", path: "livez" },
] as const;
const HOOKS = [
  { field: "preStop", path: "prestopz" },
  { field: "postStart", path: "poststartz" },
] as const;

/**
 * The kubelet has no certificate of the mesh, so its probes go to the agent's port, and the agent asks the app from
 * inside the pod. Returns the rewritten containers and what the agent must know; exec probes stay as they are.
 */
export function rewriteProbes(containers: readonly Container[], statusPort: number): { containers: Container[]; probers: AppProbers } {
  const probers: AppProbers = {};
  const rewritten = containers.map((container) => {
    if (container.name === PROXY_CONTAINER) return container;
    const out = { ...container };
    for (const { field, path } of PROBES) {
      const probe = container[field];
      const url = `/app-health/${container.name}/${path}`;
      const asked = probe && resolve(probe, container.ports ?? [], statusPort);
      if (!probe || !asked) continue;
      probers[url] = { ...asked, ...(probe.timeoutSeconds === undefined ? {} : { timeoutSeconds: probe.timeoutSeconds }) };
      out[field] = toAgent(probe, url, statusPort) as Probe;
    }
    for (const { field, path } of HOOKS) {
      const hook = out.lifecycle?.[field];
      const url = `/app-lifecycle/${container.name}/${path}`;
      const asked = hook && resolve(hook, container.ports ?? [], statusPort);
      if (!hook || !asked) continue;
      probers[url] = asked;
      out.lifecycle = { ...out.lifecycle, [field]: toAgent(hook, url, statusPort) };
    }
    return out;
  });
  return { containers: rewritten, probers };
}

/** The handler with its port as a number; undefined where there is nothing to rewrite or it has been rewritten. */
function resolve(handler: ProbeHandler, ports: readonly ContainerPort[], statusPort: number): AppProbers[string] | undefined {
  const number = (port: IntOrString): number | undefined => {
    const named = typeof port === "number" ? port : /^\d+$/.test(port) ? Number(port) : ports.find(({ name }) => name === port)?.containerPort;
    return named === statusPort ? undefined : named;
  };
  if (handler.httpGet) {
    const port = number(handler.httpGet.port);
    return port === undefined ? undefined : { httpGet: { ...handler.httpGet, port } };
  }
  if (handler.tcpSocket) {
    const port = number(handler.tcpSocket.port);
    return port === undefined ? undefined : { tcpSocket: { ...handler.tcpSocket, port } };
  }
  // Kubernetes' encoder says of a service that nobody named that there is none.
  return handler.grpc && handler.grpc.port !== statusPort
    ? { grpc: { port: handler.grpc.port, service: handler.grpc.service ?? null } as NonNullable<ProbeHandler["grpc"]> }
    : undefined;
}

/** Kubelet to agent is plain HTTP even for an HTTPS probe: the agent speaks TLS to the app. Headers are the agent's too. */
function toAgent<T extends ProbeHandler>(handler: T, path: string, port: number): T {
  const { tcpSocket: _tcp, grpc: _grpc, httpGet, ...rest } = handler;
  const { host: _host, ...get } = httpGet ?? {};
  return { ...rest, httpGet: { ...get, path, port, ...("scheme" in get && get.scheme === "HTTPS" && { scheme: "HTTP" }) } } as unknown as T;
}
