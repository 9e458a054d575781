import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nodeIdentity } from "../node-metadata.ts";
import { agentOptions, POD_PATHS } from "../options.ts";
import { envoyBootstrap } from "./bootstrap.ts";

type Json = Record<string, unknown>;

const options = (env: Record<string, string> = {}, annotations: Record<string, string> = {}) => ({
  ...agentOptions(["sidecar", "--domain", "istioinaction.svc.cluster.local"], {
    POD_NAME: "web-api-77f9dfb8b9-wxndt",
    POD_NAMESPACE: "istioinaction",
    INSTANCE_IP: "10.244.1.11",
    SERVICE_ACCOUNT: "web-api",
    CHAINMAIL_PROXY: "envoy",
    ...env,
  }),
  annotations,
});

const bootstrap = (given = options()): Json => envoyBootstrap(given, nodeIdentity(given), "/etc/istio/proxy/XDS");

/** Order means nothing among statistics to keep. */
function sorted(value: Json): Json {
  const matcher = (value as { stats_config: { stats_matcher: { inclusion_list: { patterns: unknown[] } } } }).stats_config.stats_matcher.inclusion_list;
  matcher.patterns.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return value;
}

test("the bootstrap is the one that Istio's agent writes, but for the node", () => {
  const { node: _theirs, ...theirs } = sorted(JSON.parse(readFileSync(join(import.meta.dir, "testdata/istio-bootstrap.json"), "utf8")) as Json);
  const { node: _ours, ...ours } = sorted(bootstrap());
  expect(ours).toEqual(theirs);
});

test("the node says that this Envoy lacks Istio's filters, and where its agent reads", () => {
  const { node } = bootstrap() as { node: { id: string; metadata: Json } };
  expect(node.id).toBe("sidecar~10.244.1.11~web-api-77f9dfb8b9-wxndt.istioinaction~istioinaction.svc.cluster.local");
  expect(node.metadata).toMatchObject({ CHAINMAIL_DIALECT: "envoy", CHAINMAIL_TELEMETRY_PATH: "/dev/fd/3" });
  expect(nodeIdentity(options({ CHAINMAIL_PROXY: "" })).metadata).not.toHaveProperty("CHAINMAIL_DIALECT");
});

test("ports of ProxyConfig and statistics of annotations are taken", () => {
  const given = options(
    { PROXY_CONFIG: "proxyAdminPort: 15999\nstatusPort: 15998\n" },
    { "sidecar.istio.io/statsInclusionPrefixes": "cluster.outbound,http", "sidecar.istio.io/statsInclusionRegexps": "a.*b" },
  );
  const text = JSON.stringify(bootstrap(given));
  expect(text).toContain('"port_value":15999');
  expect(text).toContain('"port_value":15998');
  expect(text).toContain('{"prefix":"cluster.outbound"},{"prefix":"http"}');
  expect(text).toContain('{"safe_regex":{"regex":"a.*b"}}');
});

test("what is neither of the two proxies is refused", () => {
  expect(() => options({ CHAINMAIL_PROXY: "nginx" })).toThrow("it is either chainmail or envoy");
  expect(POD_PATHS.configFolder).toBe("/etc/istio/proxy");
});
