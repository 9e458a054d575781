import type { AuthorizationPolicySpec, AuthorizationRule, AuthorizationSource, JwtRule, PeerAuthenticationSpec, RequestAuthenticationSpec } from "../istio.ts";
import { Findings, listText, quoted } from "./findings.ts";
import { duration, headerName, isCidr, isIp, workloadSelector } from "./names.ts";
import { jwksProblem, privateKeys } from "./jwks.ts";
import { attachment } from "./shared.ts";
import { goUrl } from "./urls.ts";

export function validatePeerAuthentication(spec: PeerAuthenticationSpec): Findings {
  const findings = new Findings();
  const ports = spec.portLevelMtls;
  const keys = Object.keys(ports ?? {});
  if (Object.keys(spec.selector?.matchLabels ?? {}).length === 0 && keys.length > 0)
    findings.error("mesh/namespace peer authentication cannot have port level mTLS");
  if (ports && keys.length === 0) findings.error("port level mTLS, if defined, must have at least one element");
  for (const key of keys) if (!(Number(key) >= 1 && Number(key) <= 65535)) findings.error("port must be in range 1..65535");
  return findings.add(workloadSelector(spec.selector));
}

export function validateRequestAuthentication(spec: RequestAuthenticationSpec): Findings {
  const findings = attachment(spec);
  for (const rule of spec.jwtRules ?? []) findings.add(jwtRule(rule)).warn(...privateKeys(rule.jwks));
  return findings;
}

function jwtRule(rule: JwtRule): Findings {
  const texts: (string | undefined)[] = (rule.audiences ?? []).map((audience) => (audience === "" ? "audience must be non-empty string" : undefined));
  const uri = rule.jwksUri || rule.jwks_uri;
  if (!rule.issuer && !uri) texts.push("issuer or jwksUri must be non-empty string");
  if (uri) texts.push(keySetAddress(uri));
  if (rule.jwks) texts.push(jwksProblem(rule.jwks));
  for (const { name } of rule.fromHeaders ?? []) if (!name) texts.push("location header name must be non-empty string");
  for (const name of rule.fromParams ?? []) if (!name) texts.push("location query must be non-empty string");
  for (const name of rule.fromCookies ?? []) if (!name) texts.push("cookie name must be non-empty string");
  for (const { claim, header } of rule.outputClaimToHeaders ?? []) {
    texts.push(!claim || !header ? "outputClaimToHeaders header and claim value must be non-empty string" : headerName(header));
  }
  texts.push(duration(rule.timeout));
  return new Findings().errorList(texts.filter((text) => text !== undefined));
}

function keySetAddress(uri: string): string | undefined {
  const { scheme, problem } = goUrl(uri);
  return problem ?? (scheme === "http" || scheme === "https" ? undefined : `URI scheme ${quoted(scheme)} is not supported`);
}

const NOTHING_TO_DO =
  "action without `rules` is meaningless as it will never be triggered, add an empty rule `{}` if you want it be triggered for every request";
const DENIES_TCP =
  "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of only HTTP attributes in a DENY rule; it is recommended to explicitly specify the port";

export function validateAuthorizationPolicy(spec: AuthorizationPolicySpec, name: string, namespace: string): Findings {
  const findings = new Findings();
  const attached = attachment(spec);
  findings.addErrors(attached).warn(...attached.warnings);
  const action = spec.action ?? "ALLOW";
  if (action === "CUSTOM") {
    if (!spec.rules) findings.error(`CUSTOM ${NOTHING_TO_DO}`);
    else if (!spec.provider?.name) findings.error("`provider.name` must not be empty");
    for (const rule of spec.rules ?? []) findings.error(...unsupportedWithCustom(rule));
  } else if (spec.provider) findings.error(`\`provider\` must not be with non CUSTOM action, found ${action}`);
  if (action === "DENY" && !spec.rules) findings.error(`DENY ${NOTHING_TO_DO}`);
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    findings.add(authorizationRule(rule ?? {}, index));
    if (action === "DENY" && deniesTcp(rule ?? {})) findings.warn(DENIES_TCP);
  }
  return findings.prefixed(`invalid policy ${name}.${namespace}:`);
}

function unsupportedWithCustom(rule: AuthorizationRule): string[] {
  const unsupported: string[] = [];
  const fields = [
    ["namespaces", "Namespaces"],
    ["notNamespaces", "NotNamespaces"],
    ["serviceAccounts", "ServiceAccounts"],
    ["notServiceAccounts", "NotServiceAccounts"],
    ["principals", "Principals"],
    ["notPrincipals", "NotPrincipals"],
    ["requestPrincipals", "RequestPrincipals"],
    ["notRequestPrincipals", "NotRequestPrincipals"],
  ] as const;
  for (const { source } of rule.from ?? []) for (const [field, name] of fields) if (source?.[field]?.length) unsupported.push(`From.${name}`);
  for (const { key = "" } of rule.when ?? []) {
    if (["source.namespace", "source.serviceAccount", "source.principal"].includes(key) || key.startsWith("request.auth.")) unsupported.push(key);
  }
  return unsupported.map((field) => `${field} is currently not supported with CUSTOM action`);
}

function authorizationRule(rule: AuthorizationRule, index: number): Findings {
  const findings = new Findings();
  const at = `found at rule ${index}`;
  if (rule.from?.length === 0) findings.error(`\`from\` must not be empty, ${at}`);
  for (const from of rule.from ?? []) {
    if (!from.source) findings.error(`\`from.source\` must not be nil, ${at}`);
    else findings.add(authorizationSource(from.source, at));
  }
  if (rule.to?.length === 0) findings.error(`\`to\` must not be empty, ${at}`);
  for (const { operation } of rule.to ?? []) {
    if (!operation) {
      findings.error(`\`to.operation\` must not be nil, ${at}`);
      continue;
    }
    if (!Object.values(operation).some((values) => Array.isArray(values) && values.length > 0)) findings.error(`\`to.operation\` must not be empty, ${at}`);
    findings.errorList(badPorts(operation.ports)).errorList(badPorts(operation.notPorts));
    const named = ["ports", "methods", "paths", "hosts", "notPorts", "notMethods", "notPaths", "notHosts"] as const;
    for (const field of named) findings.error(emptyValue(capitalized(field), operation[field]));
    findings.error(pathTemplate("Paths", operation.paths), pathTemplate("NotPaths", operation.notPaths));
  }
  for (const { key, values, notValues } of rule.when ?? []) {
    if (!key) findings.error("`key` must not be empty");
    else if (!values?.length && !notValues?.length) findings.error(`at least one of \`values\` or \`notValues\` must be set for key ${key}`);
    else {
      const [bad, notBad] = [attribute(key, values ?? []), attribute(key, notValues ?? [])];
      if (bad !== undefined) findings.error(`invalid \`value\` for \`key\` ${key}: ${bad}`);
      if (notBad !== undefined) findings.error(`invalid \`notValue\` for \`key\` ${key}: ${notBad}`);
    }
  }
  return findings;
}

function authorizationSource(source: AuthorizationSource, at: string): Findings {
  const findings = new Findings();
  const count = (...fields: (keyof AuthorizationSource)[]) => fields.reduce((sum, field) => sum + (source[field]?.length ?? 0), 0);
  if (count("principals", "notPrincipals", "namespaces", "notNamespaces") > 0 && count("serviceAccounts", "notServiceAccounts") > 0) {
    findings.error(`cannot set serviceAccounts with namespaces or principals, ${at}`);
  }
  if (!Object.values(source).some((values) => Array.isArray(values) && values.length > 0)) findings.error(`\`from.source\` must not be empty, ${at}`);
  for (const field of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const) findings.errorList(badIps(source[field]));
  findings.error(
    emptyValue("Principals", source.principals),
    emptyValue("RequestPrincipals", source.requestPrincipals),
    emptyValue("Namespaces", source.namespaces),
    badServiceAccount("ServiceAccounts", source.serviceAccounts),
    emptyValue("IpBlocks", source.ipBlocks),
    emptyValue("RemoteIpBlocks", source.remoteIpBlocks),
    emptyValue("NotPrincipals", source.notPrincipals),
    emptyValue("NotRequestPrincipals", source.notRequestPrincipals),
    emptyValue("NotNamespaces", source.notNamespaces),
    badServiceAccount("NotServiceAccounts", source.notServiceAccounts),
    emptyValue("NotIpBlocks", source.notIpBlocks),
    emptyValue("NotRemoteIpBlocks", source.notRemoteIpBlocks),
    emptyValue("TrustDomains", source.trustDomains),
    emptyValue("NotTrustDomains", source.notTrustDomains),
  );
  return findings;
}

/** A rule of HTTP attributes alone cannot be checked on TCP, where DENY then denies everything. */
function deniesTcp({ from = [], to = [] }: AuthorizationRule): boolean {
  const tcpSource = [
    "principals",
    "notPrincipals",
    "ipBlocks",
    "notIpBlocks",
    "namespaces",
    "notNamespaces",
    "remoteIpBlocks",
    "notRemoteIpBlocks",
    "serviceAccounts",
    "notServiceAccounts",
    "trustDomains",
    "notTrustDomains",
  ] as const;
  const fromExists = from.some(({ source }) => source);
  const toExists = to.some(({ operation }) => operation);
  const tcpFrom = from.some(({ source }) => source && tcpSource.some((field) => source[field] !== undefined));
  const tcpTo = to.some(({ operation }) => operation && (operation.ports !== undefined || operation.notPorts !== undefined));
  return (fromExists && !toExists && !tcpFrom) || (toExists && !tcpTo);
}

function emptyValue(field: string, values: string[] | undefined): string | undefined {
  return values?.includes("") ? `empty value not allowed, found in ${field}` : undefined;
}

/** Istio's limit of a policy's service accounts, and of the length of one. */
const MAX_ACCOUNTS = 16;
const MAX_ACCOUNT_LENGTH = 320;

function badServiceAccount(field: string, values: string[] = []): string | undefined {
  if (values.length > MAX_ACCOUNTS) return `may not have more than ${MAX_ACCOUNTS} values`;
  for (const value of values) {
    if (value === "") return `empty value not allowed, found in ${field}`;
    if (value.includes("*")) return `wildcard not allowed, found in ${field}`;
    if (value.split("/").length > 2) return `expected format 'serviceAccount' or 'namespace/serviceAccount', found ${quoted(value)} in ${field}`;
    if (value.length > MAX_ACCOUNT_LENGTH) return `service account name too long, found in ${field}`;
  }
  return undefined;
}

function badIps(values: string[] = []): string[] {
  return values.flatMap((value) => {
    if (!value.includes("/")) return isIp(value) ? [] : [`bad IP address (${value})`];
    return isCidr(value) ? [] : [`bad CIDR range (${value}): netip.ParsePrefix(${quoted(value)}): ${prefixProblem(value)}`];
  });
}

function prefixProblem(value: string): string {
  const [address = "", bits = ""] = [value.slice(0, value.lastIndexOf("/")), value.slice(value.lastIndexOf("/") + 1)];
  if (!isIp(address)) return `ParseAddr(${quoted(address)}): unable to parse IP`;
  return /^\d+$/.test(bits) ? "prefix length out of range" : `bad bits after slash: ${quoted(bits)}`;
}

function badPorts(values: string[] = []): string[] {
  return values.flatMap((value) => {
    if (!/^\d+$/.test(value)) return [`bad port (${value}): strconv.ParseUint: parsing ${quoted(value)}: invalid syntax`];
    if (Number(value) > 4294967295) return [`bad port (${value}): strconv.ParseUint: parsing ${quoted(value)}: value out of range`];
    return Number(value) > 65535 ? [`bad port (${value}): <nil>`] : [];
  });
}

const UNSUPPORTED_TEMPLATE = /\/\{\w+=\*\*?\}|\{\w*\}|\/\*\*?|\*\*?\//;

function pathTemplate(field: string, paths: string[] = []): string | undefined {
  const bad = paths.some((path) => (path.includes("{*}") || path.includes("{**}")) && UNSUPPORTED_TEMPLATE.test(path));
  return bad ? `invalid or unsupported path template, found in ${field}` : undefined;
}

const PLAIN_ATTRIBUTES = new Set([
  "source.namespace",
  "source.serviceAccount",
  "source.trustDomain",
  "source.principal",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
  "connection.sni",
]);

/** An attribute of a `when` condition and its values. */
function attribute(key: string, values: string[]): string | undefined {
  const empty = emptyValue(key, values);
  if (empty !== undefined) return empty;
  if (["request.headers", "request.auth.claims", "experimental.envoy.filters."].some((prefix) => key.startsWith(prefix))) return mapKey(key);
  if (["source.ip", "remote.ip", "destination.ip"].includes(key)) return listed(badIps(values));
  if (key === "destination.port") return listed(badPorts(values));
  if (key === "source.serviceAccount") return badServiceAccount(key, values);
  if (PLAIN_ATTRIBUTES.has(key)) return undefined;
  if (key === "destination.namespace") return `attribute ${key} is replaced by the metadata.namespace`;
  if (key.startsWith("destination.labels")) return `attribute ${key} is replaced by the workload selector`;
  if (key === "destination.name" || key === "destination.user") return `deprecated attribute ${key}: only supported in v1alpha1`;
  return `unknown attribute: ${key}`;
}

function mapKey(key: string): string | undefined {
  const open = key.indexOf("[");
  return key.endsWith("]") && open > 0 && open < key.length - 2 ? undefined : `bad key (${key}): should have format a[b]`;
}

function listed(texts: string[]): string | undefined {
  return texts.length > 0 ? listText(texts) : undefined;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
