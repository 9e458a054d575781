import type { StatScope } from "../../telemetry/stat-scope.ts";
import type { Services } from "../../services.ts";
import { connectUpstream } from "../connect.ts";
import { Host } from "../host.ts";
import type { UpstreamTransport } from "../transport.ts";
import type { HealthCheckConfig } from "./config.ts";
import { probeHttp, type HttpProbeClient } from "./http-probe.ts";
import { UNREACHABLE, type ProbeResult } from "./result.ts";
import { HttpProbeConnection } from "./http-probe-connection.ts";
import { probeTcp } from "./tcp-probe.ts";
import type { Channel } from "../../net/channel.ts";

/** A connection that a host's checks share; undefined while there is none. */
export interface ReusableConnection {
  client: HttpProbeClient | undefined;
}

export interface ProbeContext {
  readonly services: Services;
  readonly stats: StatScope;
  readonly clusterName: string;
  readonly bindAddress: string | undefined;
  /** As the check's own criteria say, else as for requests. */
  transport(host: Host, criteria: { readonly [key: string]: unknown } | undefined): UpstreamTransport;
}

/** Checks a host once. The returned function gives it up without a result. */
export function startProbe(
  host: Host,
  config: HealthCheckConfig,
  reusable: ReusableConnection,
  context: ProbeContext,
  done: (result: ProbeResult) => void,
): () => void {
  const { probe } = config;
  const { clock } = context.services;
  let abandon: () => void = () => {};
  let over = false;
  const settle = (result: ProbeResult): void => {
    if (over) return;
    over = true;
    cancelTimeout();
    done(result);
  };
  const cancelTimeout = clock.after(config.timeoutMs, () => {
    abandon();
    settle(UNREACHABLE);
  });
  const stop = (): void => {
    if (over) return;
    over = true;
    cancelTimeout();
    abandon();
  };
  if (probe.kind !== "tcp" && reusable.client) {
    abandon = probeHttp(reusable.client, probe, host, context.clusterName, settle);
    return stop;
  }
  const started = (channel: Channel): void => {
    if (probe.kind === "tcp") abandon = probeTcp(channel, probe, settle);
    else abandon = probeHttp(openHttp(channel, config, reusable), probe, host, context.clusterName, settle);
  };
  abandon = connect(host, config, context, started, () => settle(UNREACHABLE));
  return stop;
}

function openHttp(channel: Channel, { probe }: HealthCheckConfig, reusable: ReusableConnection): HttpProbeClient {
  const client = new HttpProbeConnection(channel, probe.kind === "grpc" || (probe.kind === "http" && probe.http2) ? 2 : 1, () => {
    if (reusable.client === client) reusable.client = undefined;
  });
  reusable.client = client;
  return client;
}

/** At the port that is for checks, where the endpoint or the check has one. */
function connect(host: Host, config: HealthCheckConfig, context: ProbeContext, connected: (channel: Channel) => void, failed: () => void): () => void {
  const port = host.spec.healthPort ?? config.altPort;
  const target = port === undefined ? host : new Host({ ...host.spec, address: { ...host.spec.address, port } });
  const transport = context.transport(host, config.transportCriteria);
  return connectUpstream(
    {
      host: target,
      transport,
      alpn: config.alpn,
      sni: undefined,
      provenName: undefined,
      bindAddress: context.bindAddress,
      timeoutMs: config.timeoutMs,
      sessionKey: "health check",
      preamble: undefined,
    },
    context.services,
    { onConnected: ({ channel }) => connected(channel), onConnectFailure: failed },
  );
}
