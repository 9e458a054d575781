import { describe, expect, test } from "bun:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FilterChainMatch_ConnectionSourceType as Source, FilterChainMatchSchema } from "../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ConnectionInfo } from "../net/connection-info.ts";
import { FilterChainMatcher } from "./filter-chain-match.ts";

type Match = MessageInitShape<typeof FilterChainMatchSchema>;

function matcher(chains: { [name: string]: Match }): (connection: Partial<ConnectionInfo> & { to?: string; from?: string }) => string | undefined {
  const made = new FilterChainMatcher(
    Object.entries(chains).map(([name, match]) => ({ name, match: create(FilterChainMatchSchema, match) })),
    "l",
  );
  return ({ to = "10.0.0.1:80", from = "10.0.0.9:4000", ...rest }) => {
    const split = (text: string): { address: string; port: number } => ({
      address: text.slice(0, text.lastIndexOf(":")),
      port: Number(text.slice(text.lastIndexOf(":") + 1)),
    });
    return made.find(Object.assign(new ConnectionInfo(split(to), split(from)), rest))?.name;
  };
}

describe("filter chains", () => {
  test("a port's chains hide those without a port, even where they do not fit", () => {
    const find = matcher({ port: { destinationPort: 80, transportProtocol: "tls" }, any: {} });
    expect(find({ transportProtocol: "tls" })).toBe("port");
    expect(find({})).toBeUndefined();
    expect(find({ to: "10.0.0.1:81" })).toBe("any");
  });

  test("the narrowest destination range", () => {
    const range = (addressPrefix: string, prefixLen: number): Match => ({ prefixRanges: [{ addressPrefix, prefixLen }] });
    const find = matcher({ wide: range("10.0.0.0", 8), narrow: range("10.0.1.0", 24), six: range("fd00::", 8), rest: {} });
    expect(find({ to: "10.0.1.7:80" })).toBe("narrow");
    expect(find({ to: "10.9.1.7:80" })).toBe("wide");
    expect(find({ to: "192.0.2.1:80" })).toBe("rest");
    expect(find({ to: "fd00::1:80" })).toBe("six");
  });

  test("server names: exact, the longest wildcard, none", () => {
    const find = matcher({ exact: { serverNames: ["a.b.c"] }, wild: { serverNames: ["*.b.c"] }, wider: { serverNames: ["*.c"] }, rest: {} });
    expect(find({ serverName: "a.b.c" })).toBe("exact");
    expect(find({ serverName: "x.b.c" })).toBe("wild");
    expect(find({ serverName: "x.y.b.c" })).toBe("wild");
    expect(find({ serverName: "b.c" })).toBe("wider");
    expect(find({ serverName: "c" })).toBe("rest");
    expect(find({})).toBe("rest");
  });

  test("transport before protocols, protocols in the client's order", () => {
    const find = matcher({
      h2: { transportProtocol: "tls", applicationProtocols: ["h2"] },
      http: { transportProtocol: "tls", applicationProtocols: ["http/1.1"] },
      tls: { transportProtocol: "tls" },
      raw: { transportProtocol: "raw_buffer" },
    });
    expect(find({ transportProtocol: "tls", applicationProtocols: ["http/1.1", "h2"] })).toBe("http");
    expect(find({ transportProtocol: "tls", applicationProtocols: ["x", "h2"] })).toBe("h2");
    expect(find({ transportProtocol: "tls", applicationProtocols: ["x"] })).toBe("tls");
    expect(find({ applicationProtocols: ["h2"] })).toBe("raw");
  });

  test("sources: where they are, their ranges and ports", () => {
    const find = matcher({
      local: { sourceType: Source.SAME_IP_OR_LOOPBACK },
      port: { sourcePrefixRanges: [{ addressPrefix: "10.0.0.9", prefixLen: 32 }], sourcePorts: [4000] },
      range: { sourcePrefixRanges: [{ addressPrefix: "10.0.0.0", prefixLen: 8 }] },
      rest: {},
    });
    expect(find({ from: "127.0.0.1:1" })).toBe("local");
    expect(find({ from: "10.0.0.1:1" })).toBe("local");
    expect(find({ from: "10.0.0.9:4000" })).toBe("port");
    expect(find({ from: "10.0.0.8:4000" })).toBe("range");
    expect(find({ from: "192.0.2.1:1" })).toBe("rest");
  });

  test("two for the same connections are refused in Envoy's words", () => {
    expect(() => matcher({ a: { destinationPort: 80, applicationProtocols: ["x", "y"] }, b: { destinationPort: 80, applicationProtocols: ["y"] } })).toThrow(
      "error adding listener 'l': filter chain 'b' has the same matching rules defined as 'a'",
    );
  });
});
