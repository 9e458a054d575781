import { generateKeyPairSync, sign } from "node:crypto";

/** A policy, and what a real Istio's clients saw under it where that was recorded. */
export interface Case {
  readonly name: string;
  /** Objects without a namespace: the test applies them to the one under test. */
  readonly objects: string;
  /** `status` or `status/exit` by the name of a call. */
  readonly expected: Readonly<Record<string, string>>;
}

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ISSUER = "testing@conformance.example";

/** A token that the JWT case accepts. */
export const TOKEN = ((): string => {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ alg: "RS256", kid: "k" })}.${encode({ iss: ISSUER, sub: "me", exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
})();

const JWKS = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "RS256", use: "sig" }] });

const peers = (spec: string): string => `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: ${spec}\n`;
const rule = (host: string, mode: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: rule}\nspec: {host: ${host}, trafficPolicy: {tls: {mode: ${mode}}}}\n`;
const policy = (name: string, spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const WEB = "selector: {matchLabels: {app: web}}";
const IN_MESH = { GET: "200", POST: "200", "GET of a service without sidecar": "200" };
/** A refused plaintext connection is reset; a refused TLS handshake shows as one of several codes. */
const RESET = "000/56";

export const CASES: readonly Case[] = [
  {
    name: "permissive",
    objects: peers("{mtls: {mode: PERMISSIVE}}"),
    expected: { ...IN_MESH, "without sidecar, GET": "200", "without sidecar, POST": "200", "without sidecar, TLS": "000/35" },
  },
  {
    name: "strict",
    objects: peers("{mtls: {mode: STRICT}}"),
    expected: { ...IN_MESH, "without sidecar, GET": RESET, "without sidecar, POST": RESET, "without sidecar, GET over bytes": RESET },
  },
  { name: "disable", objects: peers("{mtls: {mode: DISABLE}}"), expected: { ...IN_MESH, "without sidecar, GET": "200", "without sidecar, TLS": "000/35" } },
  {
    name: "strict, one port permissive",
    objects: peers(`{${WEB}, mtls: {mode: STRICT}, portLevelMtls: {8082: {mode: PERMISSIVE}}}`),
    expected: { ...IN_MESH, "without sidecar, GET": RESET, "without sidecar, GET second port": "200" },
  },
  {
    name: "permissive, one port strict",
    objects: peers(`{${WEB}, mtls: {mode: PERMISSIVE}, portLevelMtls: {8082: {mode: STRICT}}}`),
    expected: { ...IN_MESH, "without sidecar, GET": "200", "without sidecar, GET second port": RESET },
  },
  {
    name: "strict, one port off",
    objects: peers(`{${WEB}, mtls: {mode: STRICT}, portLevelMtls: {8082: {mode: DISABLE}}}`),
    expected: { ...IN_MESH, "GET second port": "200", "without sidecar, GET second port": "200", "without sidecar, GET": RESET },
  },
  {
    name: "strict, clients told not to",
    objects: `${peers("{mtls: {mode: STRICT}}")}---\n${rule("web", "DISABLE")}`,
    expected: { GET: "503", POST: "503", "without sidecar, GET": RESET },
  },
  {
    name: "mutual TLS to a service without sidecar",
    objects: rule("web.plain.svc.cluster.local", "ISTIO_MUTUAL"),
    expected: { GET: "200", "GET of a service without sidecar": "503", "without sidecar, GET": "200" },
  },
  {
    name: "allow sleep to GET",
    objects: policy("allow", `{${WEB}, action: ALLOW, rules: [{from: [{source: {principals: ["cluster.local/ns/*"]}}], to: [{operation: {methods: [GET]}}]}]}`),
    expected: { GET: "200", POST: "403", "without sidecar, GET": "403" },
  },
  {
    name: "allow a principal that is not there",
    objects: policy("allow", `{${WEB}, action: ALLOW, rules: [{from: [{source: {principals: ["cluster.local/ns/other/sa/sleep"]}}]}]}`),
    expected: { GET: "403", POST: "403", "without sidecar, GET": "403" },
  },
  { name: "allow nothing", objects: policy("nothing", "{}"), expected: { GET: "403", POST: "403", "without sidecar, GET": "403" } },
  {
    name: "deny a path",
    objects: policy("deny", `{${WEB}, action: DENY, rules: [{to: [{operation: {paths: ["/hello"], ports: ["8081"]}}]}]}`),
    expected: { GET: "403", "GET second port": "200", "without sidecar, GET": "403" },
  },
  {
    name: "deny the namespace of plaintext",
    objects: policy("deny", `{${WEB}, action: DENY, rules: [{from: [{source: {notPrincipals: ["*"]}}]}]}`),
    expected: { GET: "200", "GET over bytes": "200", "without sidecar, GET": "403" },
  },
  {
    name: "a token is required",
    objects: `apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt}\nspec: {${WEB}, jwtRules: [{issuer: ${ISSUER}, jwks: '${JWKS}'}]}\n---\n${policy("jwt", `{${WEB}, action: ALLOW, rules: [{from: [{source: {requestPrincipals: ["${ISSUER}/me"]}}]}]}`)}`,
    expected: { GET: "403", POST: "403", "GET with token": "200", "GET with bad token": "401", "without sidecar, GET": "403" },
  },
];
