import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Clock, errorText, type Logger } from "../../base/index.ts";
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { WorkloadSchema, type Workload } from "../../proto/gen/istio/workload/workload_pb.ts";
import { unpackAny, WORKLOAD_TYPE } from "../../proto/index.ts";
import type { PeerMetadata } from "../../proxy/telemetry/peer-metadata.ts";
import type { AgentType } from "./xds-relay.ts";

interface Entry {
  /** undefined while the control plane has not answered; null when it knows nobody there. */
  peer: PeerMetadata | null | undefined;
  lastAsked: number;
  readonly waiting: ((peer: PeerMetadata | undefined) => void)[];
}

/**
 * Says which workload is behind an address, for telemetry: a plain Envoy does not exchange names with its peers, so the
 * control plane is asked over Envoy's own stream, once for each address, and tells when an address gets a new owner.
 */
export class WorkloadNames implements AgentType {
  readonly typeUrl = WORKLOAD_TYPE;
  readonly #entries = new Map<string, Entry>();
  #send: ((request: Uint8Array) => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Calls back with the workload: at once when it is known, else when the control plane has answered or the wait is over. */
  find(address: string, found: (peer: PeerMetadata | undefined) => void): void {
    let entry = this.#entries.get(address);
    if (!entry) {
      this.#makeRoom();
      entry = { peer: undefined, lastAsked: 0, waiting: [] };
      this.#entries.set(address, entry);
      this.#request({ resourceNamesSubscribe: [nameOf(address)] });
    }
    entry.lastAsked = this.clock.now();
    if (entry.peer !== undefined) return found(entry.peer ?? undefined);
    entry.waiting.push(found);
    if (entry.waiting.length === 1) this.clock.after(WAIT_MS, () => this.#settle(address, undefined));
  }

  opened(send: (request: Uint8Array) => void): void {
    this.#send = send;
    if (this.#entries.size > 0) this.#request({ resourceNamesSubscribe: [...this.#entries.keys()].map(nameOf) });
  }

  received(response: Uint8Array): void {
    let nonce = "";
    try {
      const answer = fromBinary(DeltaDiscoveryResponseSchema, response);
      nonce = answer.nonce;
      for (const { name, resource } of answer.resources) {
        const workload = unpackAny(WorkloadSchema, resource);
        if (workload) this.#settle(addressOf(name), peerOf(workload));
      }
      for (const name of answer.removedResources) this.#settle(addressOf(name), null);
    } catch (error) {
      this.log.warn("unreadable answer about workloads", { error: errorText(error) });
    }
    this.#request({ responseNonce: nonce });
  }

  closed(): void {
    this.#send = undefined;
  }

  #settle(address: string, peer: PeerMetadata | null | undefined): void {
    const entry = this.#entries.get(address);
    if (!entry) return;
    if (peer !== undefined) entry.peer = peer;
    for (const found of entry.waiting.splice(0)) found(entry.peer ?? undefined);
  }

  #request(request: { resourceNamesSubscribe?: string[]; resourceNamesUnsubscribe?: string[]; responseNonce?: string }): void {
    this.#send?.(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl: this.typeUrl, ...request })));
  }

  /** Forgets the half that was not asked for the longest, once there are too many. */
  #makeRoom(): void {
    if (this.#entries.size < MAX_ADDRESSES) return;
    const settled = [...this.#entries].filter(([, { waiting }]) => waiting.length === 0).sort(([, a], [, b]) => a.lastAsked - b.lastAsked);
    const old = settled.slice(0, MAX_ADDRESSES / 2).map(([address]) => address);
    for (const address of old) this.#entries.delete(address);
    this.#request({ resourceNamesUnsubscribe: old.map(nameOf) });
  }
}

function peerOf(workload: Workload): PeerMetadata {
  const { workloadName, namespace, clusterId, canonicalName, canonicalRevision } = workload;
  return { workload: workloadName, namespace, cluster: clusterId, canonicalName, canonicalRevision, app: canonicalName, version: canonicalRevision };
}

/** `<network>/<address>`; here is one network. */
function nameOf(address: string): string {
  return `/${address}`;
}

function addressOf(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}

/** A round trip takes milliseconds; metrics that come later than a scrape are no use. */
const WAIT_MS = 2_000;
/** Clients of one pod; a scan from outside must not fill the memory of the agent and of the control plane. */
const MAX_ADDRESSES = 4_096;
