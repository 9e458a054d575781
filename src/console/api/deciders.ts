import { stringify } from "yaml";
import { AUTHORIZATION_POLICIES, DESTINATION_RULES, REQUEST_AUTHENTICATIONS, VIRTUAL_SERVICES } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { type MeshView, type PeerAuthenticationView, type PodView, ROOT_NAMESPACE } from "../server/mesh-view.ts";
import type { AccessLog } from "./access-log.ts";
import { type AuthorizationPolicy, policiesOf } from "./authorization.ts";
import { effectiveMode } from "./mtls.ts";

/** An object that decided how a request ended, as far as the proxy's own words and the objects tell. */
export interface Decider {
  kind: "PeerAuthentication" | "AuthorizationPolicy" | "RequestAuthentication" | "DestinationRule" | "VirtualService" | "Service" | "Application";
  group: string;
  namespace: string;
  name: string;
  /** One sentence. */
  detail: string;
  /** The part of the object that decided, in YAML. */
  rule?: string;
}

/** What there is to decide; read once for many lines. */
export interface Deciding {
  peerAuthentications: PeerAuthenticationView[];
  authorization: AuthorizationPolicy[];
  requestAuthentications: KubeObject<{
    selector?: { matchLabels?: Record<string, string> };
    jwtRules?: { issuer?: string; jwksUri?: string; audiences?: string[] }[];
  }>[];
  destinationRules: KubeObject<{ host?: string; trafficPolicy?: Policy; subsets?: { name?: string; trafficPolicy?: Policy }[] }>[];
  virtualServices: KubeObject<{ hosts?: string[]; http?: Route[] }>[];
}
interface Policy {
  connectionPool?: unknown;
  outlierDetection?: unknown;
  tls?: { mode?: string };
}
interface Route {
  fault?: unknown;
  timeout?: string;
  directResponse?: unknown;
  route?: { destination?: { host?: string; subset?: string } }[];
  [field: string]: unknown;
}

export async function deciding(mesh: MeshView): Promise<Deciding> {
  const [authorization, requestAuthentications, destinationRules, virtualServices] = await Promise.all([
    mesh.objects<AuthorizationPolicy>(AUTHORIZATION_POLICIES),
    mesh.objects<Deciding["requestAuthentications"][number]>(REQUEST_AUTHENTICATIONS),
    mesh.objects<Deciding["destinationRules"][number]>(DESTINATION_RULES),
    mesh.objects<Deciding["virtualServices"][number]>(VIRTUAL_SERVICES),
  ]);
  return { peerAuthentications: mesh.peerAuthentications(), authorization, requestAuthentications, destinationRules, virtualServices };
}

/** Who decided the end of the request or connection that a proxy of `pod` wrote down. Empty for what went well. Pure. */
export function decidersOf(log: AccessLog, pod: PodView, objects: Deciding): Decider[] {
  const details = log.response_code_details ?? "";
  const flags = new Set(log.response_flags?.split(","));
  const [namespace, labels] = [pod.metadata.namespace ?? "", pod.metadata.labels ?? {}];
  if (details === "filter_chain_not_found") return peerAuthentication(log, pod, objects);
  const rbac = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  if (rbac !== undefined || /^rbac_access_denied|^AuthzDenied/.test(details))
    return authorization(rbac, policiesOf(objects.authorization, namespace, labels, ROOT_NAMESPACE));
  if (flags.has("UAEX") || details.startsWith("ext_authz")) {
    return policiesOf(objects.authorization, namespace, labels, ROOT_NAMESPACE)
      .filter(({ spec }) => spec?.action === "CUSTOM")
      .map((policy) => named("AuthorizationPolicy", policy, "It hands the decision to an external authorizer, which said no.", policy.spec));
  }
  if (details.startsWith("jwt_authn_access_denied")) {
    return objects.requestAuthentications
      .filter(
        ({ metadata, spec }) =>
          (metadata.namespace === namespace || metadata.namespace === ROOT_NAMESPACE) &&
          Object.entries(spec?.selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value),
      )
      .map((policy) =>
        named(
          "RequestAuthentication",
          policy,
          `It checks tokens of ${policy.spec?.jwtRules?.map(({ issuer }) => issuer).join(", ") || "an issuer"}, and did not accept this one.`,
          { jwtRules: policy.spec?.jwtRules?.map(({ issuer, jwksUri, audiences }) => ({ issuer, jwksUri, audiences })) },
        ),
      );
  }
  const host = hostOf(log, namespace);
  if (host === undefined) return log.status_code !== undefined && Number(log.status_code) >= 500 && details === "via_upstream" ? [application(pod)] : [];
  return outbound(log, details, flags, host, namespace, objects);
}

function peerAuthentication(log: AccessLog, pod: PodView, { peerAuthentications }: Deciding): Decider[] {
  const { policy } = effectiveMode(pod, peerAuthentications);
  const port = log.downstream_local?.replace(/^.*:/, "") ?? "";
  const own = peerAuthentications.find(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace &&
      spec?.portLevelMtls?.[port] !== undefined &&
      Object.entries(spec.selector?.matchLabels ?? {}).every(([name, value]) => pod.metadata.labels?.[name] === value),
  );
  const object = own ?? peerAuthentications.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === policy);
  return object
    ? [
        named(
          "PeerAuthentication",
          object,
          `It lets mutual TLS in alone${own ? ` on port ${port}` : ""}, and this was not the mesh's mutual TLS.`,
          own ? { portLevelMtls: { [port]: own.spec!.portLevelMtls![port] } } : { mtls: object.spec?.mtls },
        ),
      ]
    : [];
}

/** Istio names a rule `ns[foo]-policy[bar]-rule[0]`; `none` where ALLOW policies are in force and no rule of them fits. */
function authorization(rule: string | undefined, inForce: AuthorizationPolicy[]): Decider[] {
  const [, namespace, name, index] = /^ns\[(.*?)\]-policy\[(.*?)\]-rule\[(\d+)\]$/.exec(rule ?? "") ?? [];
  if (name !== undefined) {
    const policy = inForce.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
    if (policy)
      return [
        named(
          "AuthorizationPolicy",
          policy,
          `Its rule ${Number(index) + 1} matched, and its action is ${policy.spec?.action ?? "ALLOW"}.`,
          policy.spec?.rules?.[Number(index)],
        ),
      ];
    return [
      {
        kind: "AuthorizationPolicy",
        group: "security.istio.io",
        namespace: namespace ?? "",
        name,
        detail: `Its rule ${Number(index) + 1} matched. It is not in force any more.`,
      },
    ];
  }
  return inForce
    .filter(({ spec }) => (spec?.action ?? "ALLOW") === "ALLOW")
    .map((policy) => named("AuthorizationPolicy", policy, "It lets in only what its rules name, and none of them fits.", { rules: policy.spec?.rules ?? [] }));
}

function outbound(
  log: AccessLog,
  details: string,
  flags: ReadonlySet<string>,
  host: string,
  namespace: string,
  { destinationRules, virtualServices }: Deciding,
): Decider[] {
  const rules = destinationRules.filter(({ metadata, spec }) => spec?.host !== undefined && hostMatches(fqdn(spec.host, metadata.namespace ?? ""), host));
  const policies = rules.flatMap((rule) =>
    [rule.spec?.trafficPolicy, ...(rule.spec?.subsets ?? []).map(({ trafficPolicy }) => trafficPolicy)].flatMap((policy) => (policy ? [{ rule, policy }] : [])),
  );
  const services = virtualServices.filter(({ metadata, spec }) => spec?.hosts?.some((name) => hostMatches(fqdn(name, metadata.namespace ?? ""), host)));
  const routes = (wanted: (route: Route) => unknown, detail: string, part: (route: Route) => unknown = (route) => route) =>
    services.flatMap((service) =>
      (service.spec?.http ?? []).filter((route) => wanted(route) !== undefined).map((route) => named("VirtualService", service, detail, part(route))),
    );
  const service = (detail: string): Decider => ({
    kind: "Service",
    group: "",
    namespace: host.split(".")[1] ?? namespace,
    name: host.split(".")[0] ?? host,
    detail,
  });
  if (flags.has("FI") || details === "fault_filter_abort")
    return routes(
      (route) => route.fault,
      "It injects this fault.",
      ({ fault }) => ({ fault }),
    );
  if (flags.has("UO"))
    return policies
      .filter(({ policy }) => policy.connectionPool)
      .map(({ rule, policy }) => named("DestinationRule", rule, "Its limit of connections or requests is reached.", { connectionPool: policy.connectionPool }));
  if (flags.has("UH"))
    return [
      ...policies
        .filter(({ policy }) => policy.outlierDetection)
        .map(({ rule, policy }) =>
          named("DestinationRule", rule, "It takes pods out that fail; none was left.", { outlierDetection: policy.outlierDetection }),
        ),
      service("No pod behind it is ready."),
    ];
  if (flags.has("NC") || flags.has("NR")) {
    const subsets = new Set(rules.flatMap(({ spec }) => spec?.subsets?.map(({ name }) => name) ?? []));
    const broken = routes(
      (route) => route.route?.find(({ destination }) => destination?.subset !== undefined && !subsets.has(destination.subset)),
      "Its route leads to a subset that no DestinationRule has.",
      ({ route }) => ({ route }),
    );
    return broken.length > 0
      ? broken
      : routes(
          ({ route }) => route,
          "Its route leads to a host or subset that does not exist, or none of its routes fits.",
          ({ route }) => ({ route }),
        );
  }
  if (flags.has("UT") || details === "response_timeout")
    return routes(
      ({ timeout }) => timeout,
      "Its timeout ended the request.",
      ({ timeout }) => ({ timeout }),
    );
  if (details === "direct_response") return routes(({ directResponse }) => directResponse, "It answers by itself.");
  if (flags.has("UF") || flags.has("UC")) {
    const tls = policies
      .filter(({ policy }) => policy.tls !== undefined)
      .map(({ rule, policy }) =>
        named("DestinationRule", rule, "It decides how the connection is encrypted; what the destination expects may be another thing.", { tls: policy.tls }),
      );
    return tls.length > 0
      ? tls
      : [
          service(
            log.upstream_failure_reason
              ? `The connection to its pod failed: ${log.upstream_failure_reason}.`
              : "The connection to its pod failed or was cut off.",
          ),
        ];
  }
  return [];
}

function application(pod: PodView): Decider {
  return {
    kind: "Application",
    group: "",
    namespace: pod.metadata.namespace ?? "",
    name: pod.metadata.name,
    detail: "The application itself gave this answer; the proxy passed it on.",
  };
}

function named(kind: Decider["kind"], { metadata }: KubeObject, detail: string, rule: unknown): Decider {
  return {
    kind,
    group: kind === "DestinationRule" || kind === "VirtualService" ? "networking.istio.io" : "security.istio.io",
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    detail,
    ...(rule !== undefined && { rule: stringify(rule, { lineWidth: 0 }) }),
  };
}

/** The host that an outbound request was for; undefined for an inbound line. */
function hostOf(log: AccessLog, namespace: string): string | undefined {
  const cluster = log.upstream_cluster ?? "";
  if (cluster.startsWith("inbound|") || cluster === "InboundPassthroughCluster") return undefined;
  const named = /^outbound\|\d+\|[^|]*\|(.+)$/.exec(cluster)?.[1];
  const authority = log.authority?.replace(/:\d+$/, "");
  return named ?? (authority ? fqdn(authority, namespace) : undefined);
}

/** A short name is one of the object's own namespace. */
function fqdn(host: string, namespace: string): string {
  if (host.includes("*")) return host;
  const parts = host.split(".");
  if (parts.length === 1) return `${host}.${namespace}.svc.cluster.local`;
  return parts.length === 2 || (parts.length === 3 && parts[2] === "svc") ? `${parts[0]}.${parts[1]}.svc.cluster.local` : host;
}

function hostMatches(pattern: string, host: string): boolean {
  return pattern === host || pattern === "*" || (pattern.startsWith("*.") && host.endsWith(pattern.slice(1)));
}
