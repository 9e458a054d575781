import { bool, map, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import { attachment, countOf, duration, enumOf, oneAttachment, oneOf, rule, rules, strings, text, upTo, workloadSelector } from "./parts.ts";

const mode = () => obj({ mode: enumOf("UNSET", "DISABLE", "PERMISSIVE", "STRICT") });

export function peerAuthentication(): Schema {
  return obj(
    {
      mtls: mode(),
      portLevelMtls: map(mode(), { minProperties: 1, ...rules(rule("self.all(key, 0 < int(key) && int(key) <= 65535)", "port must be between 1-65535")) }),
      selector: workloadSelector,
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
      audiences: plainList(text(1)),
      forwardOriginalToken: bool,
      fromCookies: plainList(text(1)),
      fromHeaders: plainList(obj({ "name!": text(1), prefix: str })),
      fromParams: plainList(text(1)),
      issuer: text(1),
      jwks: str,
      jwksUri,
      jwks_uri: jwksUri,
      outputClaimToHeaders: plainList(obj({ "header!": { ...text(1), pattern: "^[-_A-Za-z0-9]+$" }, "claim!": text(1) })),
      outputPayloadToHeader: str,
      spaceDelimitedClaims: plainList(text(1), { maxItems: 64 }),
      timeout: duration,
    },
    rules(rule(`${countOf("jwksUri", "jwks_uri", "jwks")} <= 1`, "only one of jwks or jwksUri can be set")),
  );
  return obj({ jwtRules: plainList(jwtRule, { maxItems: 4096 }), ...attachment }, rules(oneAttachment));
}

export function authorizationPolicy(): Schema {
  const accounts = plainList(upTo(320), { maxItems: 16 });
  const source = obj(
    {
      ipBlocks: strings,
      namespaces: strings,
      notIpBlocks: strings,
      notNamespaces: strings,
      notPrincipals: strings,
      notRemoteIpBlocks: strings,
      notRequestPrincipals: strings,
      notServiceAccounts: accounts,
      notTrustDomains: strings,
      principals: strings,
      remoteIpBlocks: strings,
      requestPrincipals: strings,
      serviceAccounts: accounts,
      trustDomains: strings,
    },
    rules(
      rule(
        "(has(self.serviceAccounts) || has(self.notServiceAccounts)) ? (!has(self.principals) &&\n!has(self.notPrincipals) && !has(self.namespaces) && !has(self.notNamespaces)) : true",
        "Cannot set serviceAccounts with namespaces or principals",
      ),
    ),
  );
  const operation = obj({
    hosts: strings,
    methods: strings,
    notHosts: strings,
    notMethods: strings,
    notPaths: strings,
    notPorts: strings,
    paths: strings,
    ports: strings,
  });
  const policyRule = obj({
    from: plainList(obj({ source }), { maxItems: 512 }),
    to: plainList(obj({ operation })),
    when: plainList(obj({ "key!": str, notValues: strings, values: strings })),
  });
  return obj(
    {
      action: enumOf("ALLOW", "DENY", "AUDIT", "CUSTOM"),
      provider: obj({ name: str }),
      rules: plainList(policyRule, { maxItems: 512 }),
      ...attachment,
    },
    { ...oneOf("provider"), ...rules(oneAttachment) },
  );
}
