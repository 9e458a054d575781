import { bool, map, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import { attachment, countOf, doc, duration, enumOf, oneAttachment, oneOf, rule, rules, strings, text, upTo, workloadSelector } from "./parts.ts";

const mode = () =>
  obj({
    mode: doc(
      "STRICT takes mutual TLS alone, PERMISSIVE plain text as well, DISABLE never terminates TLS; UNSET inherits from namespace and mesh.",
      enumOf("UNSET", "DISABLE", "PERMISSIVE", "STRICT"),
    ),
  });

export function peerAuthentication(): Schema {
  return obj(
    {
      mtls: doc("How connections to the workloads are authenticated.", mode()),
      portLevelMtls: doc(
        "Exceptions by the workload's own port number; needs a selector.",
        map(mode(), { minProperties: 1, ...rules(rule("self.all(key, 0 < int(key) && int(key) <= 65535)", "port must be between 1-65535")) }),
      ),
      selector: doc("Labels of the workloads it is for; without them all of the namespace, or of the mesh in the root namespace.", workloadSelector),
    },
    rules(
      rule(
        "has(self.portLevelMtls) ? (((has(self.selector) && has(self.selector.matchLabels)) ? self.selector.matchLabels : {}).size() > 0) : true",
        "portLevelMtls requires selector",
      ),
    ),
  );
}

export function requestAuthentication(): Schema {
  const jwksUri: Schema = { ...text(1, 2048), ...rules(rule('url(self).getScheme() in ["http", "https"]', "url must have scheme http:// or https://")) };
  const jwtRule = obj(
    {
      audiences: doc("Audiences of which a token must name one; by default the service's own name.", plainList(text(1))),
      forwardOriginalToken: doc("Whether the token goes on to the workload.", bool),
      fromCookies: doc("Cookies in which a token is looked for.", plainList(text(1))),
      fromHeaders: doc("Headers in which a token is looked for, and what stands before it there.", plainList(obj({ "name!": text(1), prefix: str }))),
      fromParams: doc("Query parameters in which a token is looked for.", plainList(text(1))),
      issuer: doc("Who must have issued the token.", text(1)),
      jwks: doc("The issuer's public keys themselves.", str),
      jwksUri: doc("Where the issuer's public keys are fetched.", jwksUri),
      jwks_uri: jwksUri,
      outputClaimToHeaders: doc(
        "Headers that carry single claims on.",
        plainList(obj({ "header!": { ...text(1), pattern: "^[-_A-Za-z0-9]+$" }, "claim!": text(1) })),
      ),
      outputPayloadToHeader: doc("A header that carries the checked token's payload on, in base64url.", str),
      spaceDelimitedClaims: plainList(text(1), { maxItems: 64 }),
      timeout: doc("How long fetching the keys may take.", duration),
    },
    rules(rule(`${countOf("jwksUri", "jwks_uri", "jwks")} <= 1`, "only one of jwks or jwksUri can be set")),
  );
  return obj(
    { jwtRules: doc("The tokens that are accepted; a request without any token passes.", plainList(jwtRule, { maxItems: 4096 })), ...attachment },
    rules(oneAttachment),
  );
}

export function authorizationPolicy(): Schema {
  const accounts = plainList(upTo(320), { maxItems: 16 });
  const source = obj(
    {
      ipBlocks: doc("Addresses of the connection's peer, single or as CIDR.", strings),
      namespaces: doc("Namespaces of the peer's identity.", strings),
      notIpBlocks: strings,
      notNamespaces: strings,
      notPrincipals: strings,
      notRemoteIpBlocks: strings,
      notRequestPrincipals: strings,
      notServiceAccounts: accounts,
      notTrustDomains: strings,
      principals: doc("Identities of the peer's certificate: <trust domain>/ns/<namespace>/sa/<account>.", strings),
      remoteIpBlocks: doc("Addresses of the original client, from X-Forwarded-For or the PROXY protocol.", strings),
      requestPrincipals: doc("Identities of a checked token: <issuer>/<subject>.", strings),
      serviceAccounts: doc("Service accounts of the peer: <account> or <namespace>/<account>.", accounts),
      trustDomains: doc("Trust domains of the peer's identity.", strings),
    },
    rules(
      rule(
        "(has(self.serviceAccounts) || has(self.notServiceAccounts)) ? (!has(self.principals) &&\n!has(self.notPrincipals) && !has(self.namespaces) && !has(self.notNamespaces)) : true",
        "Cannot set serviceAccounts with namespaces or principals",
      ),
    ),
  );
  const operation = obj({
    hosts: doc("Host names of the request.", strings),
    methods: doc("HTTP methods.", strings),
    notHosts: strings,
    notMethods: strings,
    notPaths: strings,
    notPorts: strings,
    paths: doc("Paths, with * at an end or {*} and {**} for segments.", strings),
    ports: doc("Port numbers of the workload.", strings),
  });
  const policyRule = obj({
    from: doc("Who calls; any one of them.", plainList(obj({ source }), { maxItems: 512 })),
    to: doc("What is called; any one of them.", plainList(obj({ operation }))),
    when: doc(
      "Further conditions; all of them.",
      plainList(obj({ "key!": doc("An attribute, such as request.headers[x] or source.ip.", str), notValues: strings, values: strings })),
    ),
  });
  return obj(
    {
      action: doc(
        "What happens to requests that match. Where any ALLOW policy applies, what matches none is denied.",
        enumOf("ALLOW", "DENY", "AUDIT", "CUSTOM"),
      ),
      provider: doc("The extension that decides, with CUSTOM.", obj({ name: str })),
      rules: doc("A request matches when any rule does; without rules nothing matches.", plainList(policyRule, { maxItems: 512 })),
      ...attachment,
    },
    { ...oneOf("provider"), ...rules(oneAttachment) },
  );
}
