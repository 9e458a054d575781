import { status } from "@grpc/grpc-js";
import type { Clock } from "../../base/index.ts";
import type { MetricsRegistry } from "../debug/metrics.ts";

/** One call as dashboards count it; `handled` ends it. */
export interface CallMetrics {
  received(): void;
  sent(): void;
  handled(code: number): void;
}

export type GrpcMetrics = (method: string, type: "unary" | "bidi_stream") => CallMetrics;

/** Those of Prometheus' client for Go. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What go-grpc-prometheus counts of a server, under its names. `method` is `/<service>/<method>`. */
export function createGrpcMetrics(registry: MetricsRegistry, clock: Clock): GrpcMetrics {
  const started = registry.counter("grpc_server_started_total", "Total number of RPCs started on the server.");
  const handled = registry.counter("grpc_server_handled_total", "Total number of RPCs completed on the server, regardless of success or failure.");
  const received = registry.counter("grpc_server_msg_received_total", "Total number of RPC stream messages received on the server.");
  const sent = registry.counter("grpc_server_msg_sent_total", "Total number of gRPC stream messages sent by the server.");
  const seconds = registry.histogram(
    "grpc_server_handling_seconds",
    "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.",
    SECONDS,
  );
  return (path, type) => {
    const [, service = "", method = ""] = path.split("/");
    const labels = { grpc_method: method, grpc_service: service, grpc_type: type };
    const begun = clock.now();
    let over = false;
    started.add(labels);
    return {
      received: () => received.add(labels),
      sent: () => sent.add(labels),
      handled(code) {
        if (over) return;
        over = true;
        handled.add({ grpc_code: CODE_NAMES[code] ?? "Unknown", ...labels });
        seconds.observe((clock.now() - begun) / 1000, labels);
      },
    };
  };
}

/** As Go spells them: `OK`, `Unauthenticated`, `PermissionDenied`. */
const CODE_NAMES: Record<number, string> = Object.fromEntries(
  Object.entries(status)
    .filter(([, value]) => typeof value === "number")
    .map(([name, value]) => [value, name === "OK" ? "OK" : name.toLowerCase().replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())]),
);
