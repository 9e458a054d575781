import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import cases from "../../../test/golden/validation/cases.json";
import type { KubeObject } from "../types.ts";
import { validateIstio } from "./index.ts";

/** What kubectl printed in each case, by name. */
const messages = new Map(
  readFileSync(join(import.meta.dir, "../../../test/golden/validation/messages.txt"), "utf8")
    .split(/^## /m)
    .slice(1)
    .map((part): [string, string] => {
      const [head = "", ...rest] = part.split("\n");
      return [head.split(" ")[0] ?? "", rest.join("\n").trimEnd()];
    }),
);
const DENIED = 'Error from server: error when creating "STDIN": admission webhook "validation.istio.io" denied the request: configuration is invalid: ';

test("the webhook's refusals and warnings, word for word", () => {
  let denied = 0;
  for (const [name, object] of Object.entries(cases as unknown as Record<string, KubeObject>)) {
    const message = messages.get(name) ?? "";
    if (message.includes(" is invalid: ") && !message.startsWith(DENIED)) continue; // the schema refuses it before
    const { error, warnings } = validateIstio(object);
    const warned = [...message.matchAll(/^Warning: (.*)$/gm)].map((match) => match[1] ?? "");
    expect([name, error?.trimEnd()]).toEqual([name, message.startsWith(DENIED) ? message.slice(DENIED.length) : undefined]);
    expect([name, warnings]).toEqual([name, warned]);
    if (error !== undefined) denied++;
  }
  expect(denied).toBeGreaterThan(12);
});

const check = (kind: string, spec: unknown, metadata: object = {}) =>
  validateIstio({ apiVersion: "x/v1", kind, metadata: { name: "bad", namespace: "lab", ...metadata }, spec } as KubeObject);

test("authorization policies", () => {
  const rules = (source: object) => ({ rules: [{ from: [{ source }] }] });
  expect(check("AuthorizationPolicy", rules({ ipBlocks: ["1.2.3.400", "10.0.0.0/33"] })).error).toBe(
    '2 errors occurred:\n\t* invalid policy bad.lab: bad IP address (1.2.3.400)\n\t* invalid policy bad.lab: bad CIDR range (10.0.0.0/33): netip.ParsePrefix("10.0.0.0/33"): prefix length out of range\n\n',
  );
  expect(check("AuthorizationPolicy", { action: "DENY" }).error).toContain("invalid policy bad.lab: DENY action without `rules` is meaningless");
  expect(check("AuthorizationPolicy", { action: "DENY", rules: [{ to: [{ operation: { methods: ["GET"] } }] }] }).warnings.length).toBe(1);
  expect(check("AuthorizationPolicy", { action: "DENY", rules: [{ to: [{ operation: { methods: ["GET"], ports: ["80"] } }] }] }).warnings).toEqual([]);
  expect(check("AuthorizationPolicy", { provider: { name: "x" }, rules: [{}] }).error).toBe(
    "invalid policy bad.lab: `provider` must not be with non CUSTOM action, found ALLOW",
  );
  expect(check("AuthorizationPolicy", { rules: [{ to: [{ operation: { paths: ["/{*}/foo/{bar}"] } }] }] }).error).toBe(
    "invalid policy bad.lab: invalid or unsupported path template, found in Paths",
  );
  expect(check("AuthorizationPolicy", {}, { annotations: { "istio.io/dry-run": "maybe" } }).error).toContain("invalid value (maybe)");
});

test("peer authentication, request authentication, gateways", () => {
  expect(check("PeerAuthentication", { mtls: { mode: "STRICT" } })).toEqual({ error: undefined, errors: [], warnings: [] });
  expect(check("PeerAuthentication", { portLevelMtls: { "0": {} } }).error).toBe(
    "2 errors occurred:\n\t* mesh/namespace peer authentication cannot have port level mTLS\n\t* port must be in range 1..65535\n\n",
  );
  expect(check("PeerAuthentication", { selector: {} }).warnings).toEqual(["workload selector specified without labels"]);
  expect(check("RequestAuthentication", { jwtRules: [{ jwks: "nope" }] }).error).toContain("issuer or jwksUri must be non-empty string");
  const server = (more: object) => ({ servers: [{ port: { number: 80, name: "h", protocol: "HTTP" }, hosts: ["*"], ...more }] });
  expect(check("Gateway", server({ tls: { mode: "SIMPLE", credentialName: "c" } })).error).toBe("server cannot have TLS settings for plain text HTTP ports");
  expect(check("Gateway", server({ tls: { httpsRedirect: true } }))).toEqual({ error: undefined, errors: [], warnings: [] });
  expect(check("Gateway", server({ hosts: ["short", "*.a.com", "lab/x.com"] })).error).toBe("short names (non FQDN) are not allowed");
  expect(check("Gateway", server({ port: { number: 0, name: "h", protocol: "NOPE" } })).error).toBe(
    '2 errors occurred:\n\t* invalid protocol "NOPE", supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP\n\t* port number 0 must be in the range 1..65535\n\n',
  );
});

test("virtual services", () => {
  const route = (more: object) => ({ hosts: ["x"], http: [{ route: [{ destination: { host: "x" } }], ...more }] });
  expect(check("VirtualService", route({ timeout: "0.5ms" })).error).toBe("duration must be greater than 1ms");
  expect(check("VirtualService", route({ redirect: { uri: "/a" } })).error).toBe("HTTP route cannot contain both route and redirect");
  expect(check("VirtualService", route({ retries: { attempts: 3, retryOn: "5xx,nonsense,503" } })).error).toBe('"nonsense" is not a valid retryOn policy');
  expect(check("VirtualService", route({ headers: { request: { set: { "x-a": "%NOPE" } }, response: { remove: ["Host"] } } })).error).toContain(
    'invalid header "Host": cannot set Host header',
  );
  expect(check("VirtualService", { hosts: ["*.foo.com", "a.foo.com"], http: route({}).http }).error).toBe(
    "duplicate hosts in virtual service: *.foo.com & a.foo.com",
  );
  expect(check("VirtualService", { ...route({}), gateways: ["gw.ns.svc"] }).warnings).toEqual([
    'using legacy gatewayName format "gw.ns.svc"; prefer the <namespace>/<name> format: "ns/gw"',
  ]);
  const two = (a: object, b: object) => ({ hosts: ["x"], http: [a, b].map((match) => ({ match: [match], route: [{ destination: { host: "x" } }] })) });
  expect(check("VirtualService", two({ uri: { prefix: "/a" } }, { uri: { prefix: "/a" } })).warnings).toEqual([
    "virtualService rule #1 match #0 is not used (duplicate/overlapping match in rule #0)",
    "virtualService rule #1 not used (all matches used by prior rules)",
  ]);
  expect(check("VirtualService", two({ uri: { prefix: "/a" } }, { uri: { prefix: "/ab" } })).warnings).toEqual([
    "virtualService rule #1 match #0 of prefix /ab is not used (duplicate/overlapping match in rule #0 of prefix /a on #0)",
  ]);
  const tls = { hosts: ["a.com"], tls: [{ match: [{ sniHosts: ["b.com"] }], route: [{ destination: { host: "x" } }] }] };
  expect(check("VirtualService", tls).error).toBe('SNI host "b.com" is not a compatible subset of any of the virtual service hosts: [a.com]');
});

test("destination rules, service entries, sidecars, extensions", () => {
  expect(check("DestinationRule", { host: "x", trafficPolicy: {} }).error).toBe("traffic policy must have at least one field");
  expect(check("DestinationRule", { host: "x", subsets: [{ name: "v1" }, { name: "v1" }] }).error).toBe("duplicate subset names: v1");
  expect(check("DestinationRule", { host: "x", trafficPolicy: { outlierDetection: { maxEjectionPercent: 101 } } }).error).toBe(
    "percentage 101 is not in range 0..100",
  );
  expect(check("DestinationRule", { host: "x", exportTo: [".", "lab"] }).error).toBe("duplicate entries in exportTo for entry lab");
  expect(check("DestinationRule", { host: "x", trafficPolicy: { loadBalancer: { consistentHash: { maglev: { tableSize: 4 } } } } }).error).toBe(
    "tableSize must be a prime number for maglev",
  );
  const port = { number: 443, name: "https", protocol: "HTTPS" };
  expect(check("ServiceEntry", { hosts: ["a.com"], ports: [port, { ...port, name: "b" }], resolution: "DNS" }).error).toBe(
    "service entry port 443 already defined",
  );
  expect(check("ServiceEntry", { hosts: ["*.a.com"], ports: [port], resolution: "DNS" }).error).toBe(
    'hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode DNS, domain name "*.a.com" invalid (label "*" invalid)',
  );
  expect(check("ServiceEntry", { hosts: ["a.com"], ports: [port], resolution: "STATIC", endpoints: [{ address: "b.com" }] }).error).toBe(
    'endpoint address "b.com" is not a valid IP address',
  );
  expect(check("Sidecar", {}).error).toBe("sidecar: empty configuration provided");
  expect(check("Sidecar", { egress: [{ hosts: ["nope"] }] }).error).toBe("host must be of form namespace/dnsName");
  expect(check("Sidecar", { egress: [{ hosts: ["./*", "./a.com"] }] }).warnings).toEqual(["duplicated egress host: ./a.com"]);
  expect(check("EnvoyFilter", { configPatches: [{ applyTo: "CLUSTER", match: { listener: {} }, patch: { operation: "REMOVE" } }] }).error).toBe(
    "Envoy filter: applyTo for cluster class objects cannot have non cluster match",
  );
  expect(check("Telemetry", { tracing: [{ randomSamplingPercentage: 101 }] }).error).toBe("randomSamplingPercentage must be in range [0.0, 100.0]");
  expect(check("ConfigMap", {})).toEqual({ error: undefined, errors: [], warnings: [] });
});

test("entries that are resolved as they are asked for", () => {
  const entry = (more: object) => ({ hosts: ["*.example.com"], ports: [{ number: 80, name: "http", protocol: "HTTP" }], resolution: "DYNAMIC_DNS", ...more });
  expect(check("ServiceEntry", entry({}))).toEqual({ error: undefined, errors: [], warnings: [] });
  expect(check("ServiceEntry", entry({ hosts: ["a.example.com"] })).error).toBe("host must be wildcarded for resolution mode DYNAMIC_DNS");
  expect(check("ServiceEntry", entry({ ports: [{ number: 80, name: "tcp", protocol: "TCP" }], addresses: ["240.0.0.1"] })).error).toContain(
    "only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS",
  );
  expect(check("ServiceEntry", entry({ location: "MESH_INTERNAL" }), { labels: { "istio.io/use-waypoint": "w" } }).error).toContain(
    "is not supported when using waypoints",
  );
});

test("sidecars, connection pools, headers and keys, as Istio weighs them", () => {
  const ingress = (more: object) => ({ ingress: [{ port: { number: 8080, protocol: "HTTP", name: "h" }, defaultEndpoint: "127.0.0.1:8080", ...more }] });
  expect(check("Sidecar", ingress({ tls: { mode: "SIMPLE", serverCertificate: "/c", privateKey: "/k" } })).error).toBe(
    "server cannot have TLS settings for non HTTPS/TLS ports",
  );
  expect(check("DestinationRule", { host: "a", trafficPolicy: { connectionPool: { tcp: { idleTimeout: "0s" } } } }).error).toBeUndefined();
  expect(check("DestinationRule", { host: "a", trafficPolicy: { connectionPool: { http: { http2KeepAlive: { interval: "1s" } } } } }).error).toBe(
    "http2 keepalive timeout is required",
  );
  const route = (more: object) => ({ hosts: ["x"], http: [{ route: [{ destination: { host: "x" } }], ...more }] });
  expect(check("VirtualService", route({ match: [{ headers: { ":path": { exact: "/" } } }], corsPolicy: { allowMethods: ["*"] } })).error).toBeUndefined();
  const keys = JSON.stringify({
    keys: [
      { kty: "oct", k: "AAAA" },
      { kty: "RSA", n: "a", e: "AQAB" },
      { kty: "RSA", n: "a", e: "AQAB", d: "b" },
    ],
  });
  expect(check("RequestAuthentication", { jwtRules: [{ issuer: "i", jwks: keys }] }).warnings).toEqual(
    [0, 2].map((index) => `jwks key at index ${index} contains private key material; only public keys are used for verification`),
  );
});

test("rules behind one that takes everything are told for TCP and TLS too", () => {
  const route = [{ destination: { host: "x" } }];
  expect(check("VirtualService", { hosts: ["x"], tcp: [{ route }, { match: [{ port: 9001 }, { port: 9001 }], route }] }).warnings).toEqual(
    Array.from({ length: 2 }, () => "virtualService rule #1 not used (route without matches defined before)"),
  );
});
