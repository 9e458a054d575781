import type { Cluster } from "./upstream/cluster.ts";
import type { DataPlaneDeps } from "./types.ts";
import type { PeerCertificates } from "./tls/peer.ts";
import type { ContextCache } from "./tls/contexts.ts";
import type { Overload } from "./overload/index.ts";
import type { ExtensionStore } from "./filters/extension-store.ts";
import type { SharedExporters } from "./export/index.ts";
import type { PlaintextConnections } from "./telemetry/plaintext-connections.ts";
import type { RefusedConnections } from "./telemetry/refused-connections.ts";
import type { CoreStats } from "./telemetry/core-stats.ts";
import type { IstioMetrics } from "./telemetry/istio-metrics.ts";
import type { PeerExchange } from "./telemetry/peer-metadata.ts";
import type { StatsRegistry } from "./telemetry/stats.ts";

/** What all parts of one data plane share. */
/** The clusters in force, by name. */
export interface ClusterLookup {
  get(name: string): Cluster | undefined;
  /** Also those that are not in force yet. */
  has(name: string): boolean;
}

export interface Services extends Omit<DataPlaneDeps, "overload"> {
  readonly overload: Overload | undefined;
  readonly stats: StatsRegistry;
  readonly refused: RefusedConnections;
  readonly plaintext: PlaintextConnections;
  readonly contexts: ContextCache;
  readonly peers: PeerCertificates;
  readonly clusters: ClusterLookup;
  readonly exchange: PeerExchange;
  readonly istio: IstioMetrics;
  readonly core: CoreStats;
  readonly extensions: ExtensionStore;
  /** Queues of what is told to collectors. */
  readonly exporters: SharedExporters;
  readonly hostname: string;
  /** Whether the proxy has been told to say that it is not healthy. */
  readonly health: { readonly failed: boolean };
  /** Takes exceptions that ended one connection: they are bugs, and logged as such. */
  readonly onFault: (error: Error) => void;
  /** Monotonic milliseconds with fractions. */
  readonly monotonic: () => number;
  /** Epoch milliseconds with fractions, for a moment of the monotonic clock that is now. */
  readonly wall: (monotonic: number) => number;
}
