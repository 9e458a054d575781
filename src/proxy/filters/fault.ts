import { HTTPFaultSchema, type HTTPFault } from "../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
import { durationMs } from "../durations.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { compileHeaders } from "../match/headers.ts";
import { fraction } from "../router/route-match.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.fault`: delays and aborts a share of the requests. */
export const faultFilter: HttpFilterFactory = {
  typeNames: [HTTPFaultSchema.typeName],
  routeTypeNames: [HTTPFaultSchema.typeName],
  checkRoute: (config, { stats }) => void compile(config.read(HTTPFaultSchema), stats),
  create(config, context) {
    const whole = compile(config.read(HTTPFaultSchema), context.stats);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        return own.config ? compile(own.config.read(HTTPFaultSchema), context.stats) : whole;
      },
    };
  },
};

/** How a fault's value is found for a request: fixed, or given by the client in a header. */
type Asked = (stream: HttpStream) => { readonly value: number; readonly share: number } | undefined;

function compile(fault: HTTPFault, stats: StatScope): HttpFilter | undefined {
  const delay = compileDelay(fault);
  const abort = compileAbort(fault);
  if (!delay && !abort) return undefined;
  const headers = compileHeaders(fault.headers);
  const nodes = new Set(fault.downstreamNodes);
  const { maxActiveFaults, upstreamCluster } = fault;
  let active = 0;
  const aborts = stats.counter("fault.aborts_injected");
  const delays = stats.counter("fault.delays_injected");
  const overflow = stats.counter("fault.faults_overflow");
  const activeFaults = stats.counter("fault.active_faults");

  const applies = (stream: HttpStream): boolean => {
    const action = stream.route?.action;
    if (upstreamCluster !== "" && !(action?.kind === "forward" && action.cluster === upstreamCluster)) return false;
    if (nodes.size > 0 && !nodes.has(stream.request.headers.get("x-envoy-downstream-service-node") ?? "")) return false;
    if (headers !== undefined && !headers(stream.request)) return false;
    if (maxActiveFaults === undefined || active < maxActiveFaults) return true;
    overflow.inc();
    return false;
  };
  const begin = (stream: HttpStream): void => {
    active++;
    activeFaults.inc();
    (stream.filterState ??= new Map()).set(filter, true);
  };
  const maybeAbort = (stream: HttpStream): boolean => {
    const asked = abort?.(stream);
    if (!asked || stream.config.services.random() >= asked.share) return false;
    begin(stream);
    aborts.inc();
    const grpc = asked.value >= GRPC_STATUS;
    stream.localReply({
      status: grpc ? 200 : asked.value,
      body: "fault filter abort",
      details: "fault_filter_abort",
      flag: "FI",
      ...(grpc ? { grpcStatus: asked.value - GRPC_STATUS } : {}),
    });
    return true;
  };
  const filter: HttpFilter = {
    onRequest(stream) {
      if (!applies(stream)) return "continue";
      const asked = delay?.(stream);
      if (asked && asked.value > 0 && stream.config.services.random() < asked.share) {
        begin(stream);
        delays.inc();
        stream.addFlag("DI");
        const cancel = stream.config.services.clock.after(asked.value, () => {
          stream.filterState?.delete(cancelKey);
          if (!stream.done && !maybeAbort(stream)) stream.continueRequest();
        });
        stream.filterState?.set(cancelKey, cancel);
        return "stop";
      }
      return maybeAbort(stream) ? "stop" : "continue";
    },
    onReset(stream) {
      (stream.filterState?.get(cancelKey) as (() => void) | undefined)?.();
    },
    onComplete(stream) {
      if (!stream.filterState?.has(filter)) return;
      active--;
      activeFaults.inc(-1);
    },
  };
  const cancelKey = {};
  return filter;
}

/** gRPC statuses are told from HTTP's by this offset. */
const GRPC_STATUS = 1000;

function compileDelay(fault: HTTPFault): Asked | undefined {
  const specifier = fault.delay?.faultDelaySecifier;
  const share = fraction(fault.delay?.percentage);
  if (specifier?.case === "fixedDelay") {
    const value = durationMs(specifier.value) ?? 0;
    return () => ({ value, share });
  }
  if (specifier?.case === "headerDelay") return fromHeaders("x-envoy-fault-delay-request", "x-envoy-fault-delay-request-percentage", share);
  return undefined;
}

function compileAbort(fault: HTTPFault): Asked | undefined {
  const type = fault.abort?.errorType;
  const share = fraction(fault.abort?.percentage);
  if (type?.case === "httpStatus") return () => ({ value: type.value, share });
  if (type?.case === "grpcStatus") return () => ({ value: GRPC_STATUS + type.value, share });
  if (type?.case === "headerAbort") return fromHeaders("x-envoy-fault-abort-request", "x-envoy-fault-abort-request-percentage", share);
  return undefined;
}

/** The client's percentage can only lower the configured one. */
function fromHeaders(valueHeader: string, percentHeader: string, share: number): Asked {
  return (stream) => {
    const value = Number(stream.request.headers.get(valueHeader));
    if (!Number.isInteger(value) || value < 0) return undefined;
    const percent = stream.request.headers.get(percentHeader);
    return { value, share: percent === undefined ? share : Math.min(share, Number(percent) / 100 || 0) };
  };
}
