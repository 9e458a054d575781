import type { FilterChainMatch } from "../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { FilterChainMatch_ConnectionSourceType as SourceType } from "../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { compileCidr, ipBytes, isLoopback, type Cidr } from "../match/cidr.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import { InvalidResource } from "../types.ts";

/** A chain with what it matches, as the matcher takes it. */
export interface MatchableChain {
  readonly name: string;
  readonly match: FilterChainMatch | undefined;
}

/**
 * Envoy's filter chain matching: each criterion in turn picks the most specific value, and there is no way back from it
 * (a chain for a port wins over all chains without one, even if none of the port's chains fits further on).
 */
export class FilterChainMatcher<Chain extends MatchableChain> {
  readonly #byPort = new Map<number, CidrLevel<ServerNames<Chain>>>();

  /** Throws InvalidResource when two chains match the same connections. */
  constructor(chains: readonly Chain[], listener: string) {
    for (const chain of chains) {
      const match = chain.match;
      const port = match?.destinationPort ?? 0;
      const clash = (other: Chain): InvalidResource =>
        new InvalidResource(
          "DUPLICATE_FILTER_CHAIN",
          `error adding listener '${listener}': filter chain '${chain.name}' has the same matching rules defined as '${other.name}'`,
        );
      let level = this.#byPort.get(port);
      if (!level) this.#byPort.set(port, (level = new CidrLevel()));
      for (const destination of cidrsOf(match?.prefixRanges)) {
        const names = level.at(destination, () => new ServerNames<Chain>());
        names.add(chain, match, clash);
      }
    }
  }

  find(connection: ConnectionInfo): Chain | undefined {
    const level = this.#byPort.get(connection.local.port) ?? this.#byPort.get(0);
    return level?.find(connection.local.address)?.find(connection);
  }
}

class CidrLevel<T> {
  /** The longest prefix first; the entry without a range last. */
  #entries: { readonly key: string; readonly cidr: Cidr | undefined; readonly value: T }[] = [];

  at(cidr: Cidr | undefined, create: () => T): T {
    const key = cidr ? `${cidr.bytes.join(".")}/${cidr.length}` : "";
    let entry = this.#entries.find((each) => each.key === key);
    if (!entry) {
      entry = { key, cidr, value: create() };
      this.#entries = [...this.#entries, entry].sort((a, b) => (b.cidr?.length ?? -1) - (a.cidr?.length ?? -1));
    }
    return entry.value;
  }

  find(address: string): T | undefined {
    const [only] = this.#entries;
    if (this.#entries.length === 1 && only && !only.cidr) return only.value;
    const bytes = ipBytes(address);
    return this.#entries.find((entry) => !entry.cidr || (bytes !== undefined && entry.cidr.contains(bytes)))?.value;
  }
}

/** Server names, then transport, then application protocols, then sources. */
class ServerNames<Chain extends MatchableChain> {
  readonly #names = new Map<string, Transports<Chain>>();

  add(chain: Chain, match: FilterChainMatch | undefined, clash: (other: Chain) => InvalidResource): void {
    for (const name of orAny(match?.serverNames)) {
      if (name.includes("*") && !name.startsWith("*.")) {
        throw new InvalidResource("INVALID_FILTER_CHAIN", `partial wildcards are not supported in "server_names": ${name}`);
      }
      const key = name.startsWith("*.") ? name.slice(1).toLowerCase() : name.toLowerCase();
      let transports = this.#names.get(key);
      if (!transports) this.#names.set(key, (transports = new Map()));
      const transport = match?.transportProtocol ?? "";
      let protocols = transports.get(transport);
      if (!protocols) transports.set(transport, (protocols = new Map()));
      for (const protocol of orAny(match?.applicationProtocols)) {
        let sources = protocols.get(protocol);
        if (!sources) protocols.set(protocol, (sources = new Sources()));
        sources.add(chain, match, clash);
      }
    }
  }

  find(connection: ConnectionInfo): Chain | undefined {
    const transports = this.#byName(connection.serverName);
    const protocols = transports?.get(connection.transportProtocol) ?? transports?.get("");
    if (!protocols) return undefined;
    for (const protocol of connection.applicationProtocols) {
      const sources = protocols.get(protocol);
      if (sources) return sources.find(connection);
    }
    return protocols.get("")?.find(connection);
  }

  /** The exact name, else the longest wildcard, else chains without names. */
  #byName(name: string): Transports<Chain> | undefined {
    if (name !== "") {
      const exact = this.#names.get(name);
      if (exact) return exact;
      for (let dot = name.indexOf(".", 1); dot >= 0; dot = name.indexOf(".", dot + 1)) {
        const wildcard = this.#names.get(name.slice(dot));
        if (wildcard) return wildcard;
      }
    }
    return this.#names.get("");
  }
}

type Transports<Chain extends MatchableChain> = Map<string, Map<string, Sources<Chain>>>;

class Sources<Chain extends MatchableChain> {
  readonly #direct = new CidrLevel<Map<SourceType, CidrLevel<Map<number, Chain>>>>();

  add(chain: Chain, match: FilterChainMatch | undefined, clash: (other: Chain) => InvalidResource): void {
    for (const direct of cidrsOf(match?.directSourcePrefixRanges)) {
      const types = this.#direct.at(direct, () => new Map());
      const type = match?.sourceType ?? SourceType.ANY;
      let level = types.get(type);
      if (!level) types.set(type, (level = new CidrLevel()));
      for (const source of cidrsOf(match?.sourcePrefixRanges)) {
        const ports = level.at(source, () => new Map());
        for (const port of match && match.sourcePorts.length > 0 ? match.sourcePorts : [0]) {
          const other = ports.get(port);
          if (other) throw clash(other);
          ports.set(port, chain);
        }
      }
    }
  }

  find(connection: ConnectionInfo): Chain | undefined {
    const types = this.#direct.find(connection.directRemote.address);
    if (!types) return undefined;
    const local = isLoopback(connection.remote.address) || connection.remote.address === connection.local.address;
    const own = types.get(local ? SourceType.SAME_IP_OR_LOOPBACK : SourceType.EXTERNAL);
    return bySource(own, connection) ?? bySource(types.get(SourceType.ANY), connection);
  }
}

function bySource<Chain>(level: CidrLevel<Map<number, Chain>> | undefined, connection: ConnectionInfo): Chain | undefined {
  const ports = level?.find(connection.remote.address);
  return ports?.get(connection.remote.port) ?? ports?.get(0);
}

function orAny(values: readonly string[] | undefined): readonly string[] {
  return values && values.length > 0 ? values : [""];
}

function cidrsOf(ranges: FilterChainMatch["prefixRanges"] | undefined): readonly (Cidr | undefined)[] {
  return ranges && ranges.length > 0 ? ranges.map(compileCidr) : [undefined];
}
