import { expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createLogger, systemClock } from "../../base/index.ts";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { NodeSchema } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import { MetricsRegistry } from "../debug/metrics.ts";
import type { MeshSnapshot, RegistryChange } from "../registry/index.ts";
import { ChurningMesh } from "../testing/churning-mesh.ts";
import { createGenerator, type ProxyNode } from "../xds/index.ts";
import { AdsServer } from "./ads-server.ts";
import type { XdsStream } from "./connection.ts";
import { createXdsMetrics } from "./metrics.ts";
import type { Protocol } from "./requests.ts";

const { CDS, EDS, LDS, RDS } = XDS_TYPES;
const SEEDS = [1, 20261124];
const ROUNDS = 4;
/** A second on an idle machine; others may be busy on this one. */
const TIMEOUT_MS = 30_000;
const ROUTES = ["80", "8080", "15014", "http.8080"];

for (const seed of SEEDS) {
  test(
    `after random changes settle, what clients have equals a fresh computation (seed ${seed})`,
    async () => {
      const mesh = new ChurningMesh(seed);
      const { server, publish } = serve(mesh);
      const clients = mesh.nodes.flatMap((node) => (["delta", "sotw"] as const).map((protocol) => new SlowClient(server, protocol, node, () => mesh.random())));
      await settled(clients);
      for (let round = 0; round < ROUNDS; round++) {
        // Changes come while earlier pushes are under way: clients take their time.
        for (let burst = 0; burst < 3; burst++) {
          mesh.change(1 + Math.floor(mesh.random() * 8), round % 2 === 1);
          publish();
          await Promise.resolve();
        }
        await settled(clients);
        const fresh = createGenerator();
        const snapshot = mesh.fresh();
        for (const client of clients) {
          const expected = client.shouldHave((type, names) => fresh.generate(client.node, snapshot, type, names));
          expect({ round, client: client.name, ...client.has() }).toEqual({ round, client: client.name, ...expected });
        }
      }
      server.stop();
    },
    TIMEOUT_MS,
  );
}

/** An ADS server on the mesh; `publish` tells it of what changed since. */
function serve(mesh: ChurningMesh): { server: AdsServer; publish: () => void } {
  let snapshot: MeshSnapshot = mesh.build().snapshot;
  let tell: (change: RegistryChange) => void = () => {};
  const never = (): never => {
    throw new Error("nobody asks for this here");
  };
  const server = new AdsServer({
    registry: { current: () => snapshot, onChange: (listener) => ((tell = listener), () => {}), synced: Promise.resolve(), stop: () => {} },
    generator: createGenerator(),
    credentials: { affectedBy: () => false, resources: never },
    debugTypes: { serves: () => false, answer: never },
    metrics: createXdsMetrics(new MetricsRegistry()),
    clock: systemClock,
    log: createLogger("test", { level: "none" }),
  });
  const publish = (): void => {
    const built = mesh.build();
    snapshot = built.snapshot;
    tell(built.change);
  };
  return { server, publish };
}

/** Nothing was sent for longer than any client takes. */
async function settled(clients: readonly SlowClient[]): Promise<void> {
  for (let quiet = 0; quiet < 4;) {
    const before = clients.reduce((sum, { answers }) => sum + answers, 0);
    await Bun.sleep(3);
    quiet = clients.reduce((sum, { answers }) => sum + answers, 0) === before ? quiet + 1 : 0;
  }
}

/** A proxy that reads when it likes, and keeps what Envoy would keep. */
class SlowClient {
  answers = 0;
  readonly #state = new Map<string, Map<string, Uint8Array>>([CDS, EDS, LDS, RDS].map((type) => [type, new Map()]));
  readonly #connection: ReturnType<AdsServer["accept"]>;
  #subscribed = false;
  /** The clusters that get their endpoints by EDS. */
  #wanted: string[] = [];
  readonly #nonces = new Map<string, string>();

  constructor(
    server: AdsServer,
    private readonly protocol: Protocol,
    readonly node: ProxyNode,
    private readonly random: () => number,
  ) {
    const stream: XdsStream = {
      write: (response) => this.#take(response.bytes()),
      pause: () => {},
      resume: () => {},
      end: (error) => expect(error?.message ?? "").toBe("this control plane is stopping"),
    };
    this.#connection = server.accept(stream, protocol, undefined, "10.0.0.1:1");
    for (const type of [CDS, LDS]) this.#ask(type, []);
    this.#ask(RDS, ROUTES);
  }

  get name(): string {
    return `${this.protocol} ${this.node.podName}`;
  }

  has(): Record<string, Record<string, string>> {
    return Object.fromEntries(
      [...this.#state].map(([type, resources]) => [type, Object.fromEntries([...resources].sort().map(([name, value]) => [name, hash(value)]))]),
    );
  }

  shouldHave(generate: (type: string, names?: readonly string[]) => readonly { name: string; value: Uint8Array }[]): Record<string, Record<string, string>> {
    const names: Record<string, string[] | undefined> = { [EDS]: this.#wanted, [RDS]: ROUTES };
    return Object.fromEntries(
      [CDS, EDS, LDS, RDS].map((type) => [
        type,
        Object.fromEntries(
          generate(type, names[type])
            .map(({ name, value }) => [name, hash(value)] as const)
            .sort(),
        ),
      ]),
    );
  }

  async #take(bytes: Uint8Array): Promise<void> {
    this.answers++;
    if (this.random() < 0.2) await Bun.sleep(1);
    const { typeUrl, nonce, resources, removed, version } = this.protocol === "delta" ? decodeDelta(bytes) : decodeSotw(bytes);
    const state = this.#state.get(typeUrl);
    if (!state) throw new Error(`not asked for: ${typeUrl}`);
    if (this.protocol === "sotw" && (typeUrl === CDS || typeUrl === LDS)) state.clear();
    // Endpoints of clusters that are gone were under way when they were unsubscribed from.
    for (const [name, value] of resources) if (typeUrl !== EDS || this.#wanted.includes(name)) state.set(name, value);
    for (const name of removed) state.delete(name);
    if (typeUrl === CDS) this.#wanted = this.#edsNames();
    queueMicrotask(() => {
      this.#acknowledge(typeUrl, nonce, version);
      if (typeUrl === CDS) this.#follow();
    });
  }

  /** Subscribes to the endpoints of what clusters there are now. */
  #follow(): void {
    const wanted = this.#wanted;
    const state = this.#state.get(EDS);
    const gone = [...(state?.keys() ?? [])].filter((name) => !wanted.includes(name));
    for (const name of gone) state?.delete(name);
    if (this.protocol === "sotw" || !this.#subscribed) this.#ask(EDS, wanted);
    else
      this.#send(
        toBinary(
          DeltaDiscoveryRequestSchema,
          create(DeltaDiscoveryRequestSchema, {
            typeUrl: EDS,
            resourceNamesSubscribe: wanted.filter((name) => !state?.has(name)),
            resourceNamesUnsubscribe: gone,
          }),
        ),
      );
    this.#subscribed = true;
  }

  #edsNames(): string[] {
    return [...(this.#state.get(CDS) ?? [])].flatMap(([name, value]) => (fromBinary(ClusterSchema, value).edsClusterConfig ? [name] : [])).sort();
  }

  #ask(typeUrl: string, names: string[]): void {
    const node = create(NodeSchema, { id: this.node.id, metadata: JSON.parse(JSON.stringify(this.node.metadata)) });
    const responseNonce = this.protocol === "sotw" ? (this.#nonces.get(typeUrl) ?? "") : "";
    this.#send(
      this.protocol === "delta"
        ? toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { node, typeUrl, resourceNamesSubscribe: names }))
        : toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { node, typeUrl, resourceNames: names, responseNonce })),
    );
  }

  #acknowledge(typeUrl: string, responseNonce: string, versionInfo: string): void {
    this.#nonces.set(typeUrl, responseNonce);
    const resourceNames = typeUrl === RDS ? ROUTES : typeUrl === EDS ? this.#wanted : [];
    this.#send(
      this.protocol === "delta"
        ? toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce }))
        : toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { typeUrl, responseNonce, versionInfo, resourceNames })),
    );
  }

  #send(bytes: Uint8Array): void {
    this.#connection.receive(bytes);
  }
}

interface Answer {
  typeUrl: string;
  nonce: string;
  version: string;
  resources: [string, Uint8Array][];
  removed: string[];
}

function decodeDelta(bytes: Uint8Array): Answer {
  const { typeUrl, nonce, resources, removedResources, systemVersionInfo } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  return {
    typeUrl,
    nonce,
    version: systemVersionInfo,
    removed: removedResources,
    resources: resources.flatMap(({ name, resource }) => (resource ? [[name, resource.value] as [string, Uint8Array]] : [])),
  };
}

/** State of the world does not name its resources: they name themselves. */
function decodeSotw(bytes: Uint8Array): Answer {
  const { typeUrl, nonce, resources, versionInfo } = fromBinary(DiscoveryResponseSchema, bytes);
  const nameOf = (value: Uint8Array): string => {
    if (typeUrl === CDS) return fromBinary(ClusterSchema, value).name;
    if (typeUrl === LDS) return fromBinary(ListenerSchema, value).name;
    return typeUrl === RDS ? fromBinary(RouteConfigurationSchema, value).name : fromBinary(ClusterLoadAssignmentSchema, value).clusterName;
  };
  return { typeUrl, nonce, version: versionInfo, removed: [], resources: resources.map(({ value }) => [nameOf(value), value]) };
}

function hash(value: Uint8Array): string {
  return Bun.hash.xxHash64(value).toString(16);
}
