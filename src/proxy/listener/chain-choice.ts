import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { Matcher } from "../../proto/gen/xds/type/matcher/v3/matcher_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import type * as MatcherInputs from "../match/matcher-inputs.ts";
import type * as MatcherTree from "../match/matcher-tree.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import { InvalidResource } from "../types.ts";
import { FilterChainMatcher, type MatchableChain } from "./filter-chain-match.ts";

/** Chooses a connection's filter chain; undefined when there is none for it. */
export type ChooseChain<Chain> = (connection: ConnectionInfo) => Chain | undefined;

/**
 * By the listener's matcher tree where it has one, which names a chain; else by what the chains say that they match.
 * What matches nothing goes to the default chain; not so where the tree names a chain that is not there. Throws InvalidResource.
 */
export function compileChoice<Chain extends MatchableChain>(
  chains: readonly Chain[],
  fallback: Chain | undefined,
  tree: Matcher | undefined,
  listener: string,
): ChooseChain<Chain> {
  if (!tree) {
    const matcher = new FilterChainMatcher(chains, listener);
    return (connection) => matcher.find(connection) ?? fallback;
  }
  const byName = new Map<string, Chain>();
  for (const chain of chains) {
    if (chain.name === "")
      throw new InvalidResource("INVALID_FILTER_CHAIN", `error adding listener '${listener}': "name" field is required when using a listener matcher`);
    if (byName.has(chain.name))
      throw new InvalidResource("INVALID_FILTER_CHAIN", `error adding listener '${listener}': "name" field is duplicated with value '${chain.name}'`);
    byName.set(chain.name, chain);
  }
  // Few listeners have one: what it needs is loaded with the first.
  const { unknownExtension } = require("../match/matcher-inputs.ts") as typeof MatcherInputs;
  const { compileMatcher } = require("../match/matcher-tree.ts") as typeof MatcherTree;
  const decide = compileMatcher<string>(tree, {
    where: { http: false, listener: true, name: "filter chain matcher" },
    action(config) {
      const name = unpackAny(StringValueSchema, config.typedConfig);
      if (!name) throw unknownExtension(config);
      return name.value;
    },
  });
  return (connection) => {
    const name = decide({ downstream: connection, remoteIp: connection.remote.address, request: undefined });
    return name === undefined ? fallback : byName.get(name);
  };
}
