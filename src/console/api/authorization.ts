import type { KubeObject } from "../../resources/types.ts";

/** One request as an access log tells of it; what it does not tell is undefined. */
export interface SeenRequest {
  /** `cluster.local/ns/NS/sa/SA` of the peer's certificate; "" for plaintext. */
  principal: string;
  ip: string;
  /** Undefined for connections that are no HTTP. */
  method: string | undefined;
  path: string;
  host: string;
  port: string;
}

export interface AuthorizationSpec {
  action?: string;
  selector?: { matchLabels?: Record<string, string> };
  targetRef?: unknown;
  targetRefs?: unknown[];
  rules?: Rule[];
}
export type AuthorizationPolicy = KubeObject<AuthorizationSpec>;
interface Rule {
  from?: { source?: Fields }[];
  to?: { operation?: Fields }[];
  when?: { key?: string; values?: string[]; notValues?: string[] }[];
}
type Fields = Record<string, string[] | undefined>;

/** "unknown" where the answer hangs on what access logs do not tell, such as a token's claims. */
export type Tri = true | false | "unknown";
export type Decision = "allowed" | "denied" | "unknown";

/** What decided, `NAMESPACE/NAME`, where a policy did. */
export interface Verdict {
  decision: Decision;
  policy: string | undefined;
}

/**
 * What the policies of one workload make of a request, as Istio orders them: a DENY that matches, then, where there are
 * ALLOW policies, one that matches. CUSTOM is somebody else's answer and AUDIT decides nothing.
 * https://istio.io/latest/docs/reference/config/security/authorization-policy/
 */
export function decide(policies: readonly AuthorizationPolicy[], request: SeenRequest): Verdict {
  const of = (action: string) => policies.filter(({ spec }) => (spec?.action ?? "ALLOW") === action);
  let unsure: Verdict | undefined;
  for (const policy of of("DENY")) {
    const hit = matches(policy.spec, request, "DENY");
    if (hit === true) return { decision: "denied", policy: key(policy) };
    if (hit === "unknown") unsure ??= { decision: "unknown", policy: key(policy) };
  }
  const allow = of("ALLOW");
  if (allow.length === 0) return unsure ?? { decision: "allowed", policy: undefined };
  const hits = allow.map((policy) => ({ policy, hit: matches(policy.spec, request, "ALLOW") }));
  const sure = hits.find(({ hit }) => hit === true);
  if (sure) return unsure ?? { decision: "allowed", policy: key(sure.policy) };
  const maybe = hits.find(({ hit }) => hit === "unknown");
  if (maybe) return { decision: "unknown", policy: key(maybe.policy) };
  return { decision: "denied", policy: allow.length === 1 ? key(allow[0]!) : undefined };
}

/** Those that apply to pods of a namespace with these labels; a policy that names a gateway or a service by reference is not among them. */
export function policiesOf(
  policies: readonly AuthorizationPolicy[],
  namespace: string,
  labels: Record<string, string>,
  rootNamespace: string,
): AuthorizationPolicy[] {
  return policies.filter(({ metadata, spec }) => {
    if (metadata.namespace !== namespace && metadata.namespace !== rootNamespace) return false;
    if (spec?.targetRef !== undefined || (spec?.targetRefs?.length ?? 0) > 0) return false;
    return Object.entries(spec?.selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
  });
}

function key({ metadata }: AuthorizationPolicy): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function matches(spec: AuthorizationSpec | undefined, request: SeenRequest, action: "ALLOW" | "DENY"): Tri {
  return any(
    (spec?.rules ?? []).map((rule) =>
      all([
        rule.from === undefined
          ? true
          : any(
              rule.from.map(({ source }) =>
                source === undefined ? true : all(Object.entries(source).map(([name, values]) => sourceField(name, values ?? [], request))),
              ),
            ),
        rule.to === undefined
          ? true
          : any(
              rule.to.map(({ operation }) =>
                operation === undefined ? true : all(Object.entries(operation).map(([name, values]) => operationField(name, values ?? [], request, action))),
              ),
            ),
        all(
          (rule.when ?? []).map(({ key: name = "", values, notValues }) =>
            all([values ? condition(name, values, request) : true, notValues ? not(condition(name, notValues, request)) : true]),
          ),
        ),
      ]),
    ),
  );
}

const NEGATED = /^not([A-Z])(.*)$/;

function sourceField(name: string, values: string[], request: SeenRequest): Tri {
  const negated = NEGATED.exec(name);
  if (negated) return not(sourceField(`${negated[1]!.toLowerCase()}${negated[2]}`, values, request));
  const [, trustDomain = "", namespace = "", account = ""] = /^([^/]+)\/ns\/([^/]+)\/sa\/(.+)$/.exec(request.principal) ?? [];
  switch (name) {
    case "principals":
      return request.principal !== "" && values.some((value) => fits(value, request.principal));
    case "namespaces":
      return namespace !== "" && values.some((value) => fits(value, namespace));
    case "serviceAccounts":
      return account !== "" && values.some((value) => fits(value.includes("/") ? value : `*/${value}`, `${namespace}/${account}`));
    case "trustDomains":
      return trustDomain !== "" && values.some((value) => fits(value, trustDomain));
    case "ipBlocks":
      return values.some((block) => inBlock(request.ip, block));
    default:
      return "unknown";
  }
}

/** A field of HTTP on a connection that is none: an ALLOW rule with it lets nothing in, a DENY rule leaves it out. */
function operationField(name: string, values: string[], request: SeenRequest, action: "ALLOW" | "DENY"): Tri {
  const negated = NEGATED.exec(name);
  const field = negated ? `${negated[1]!.toLowerCase()}${negated[2]}` : name;
  if (field !== "ports" && request.method === undefined) return action === "DENY";
  if (negated) return not(operationField(field, values, request, action));
  switch (name) {
    case "ports":
      return values.includes(request.port);
    case "methods":
      return values.some((value) => fits(value, request.method ?? ""));
    case "hosts":
      return values.some(
        (value) => fits(value.toLowerCase(), request.host.toLowerCase()) || fits(value.toLowerCase(), request.host.toLowerCase().replace(/:\d+$/, "")),
      );
    case "paths":
      return values.some((value) => pathFits(value, request.path.replace(/[?#].*$/s, "")));
    default:
      return "unknown";
  }
}

function condition(name: string, values: string[], request: SeenRequest): Tri {
  switch (name) {
    case "source.principal":
      return sourceField("principals", values, request);
    case "source.namespace":
      return sourceField("namespaces", values, request);
    case "source.serviceAccount":
      return sourceField("serviceAccounts", values, request);
    case "source.ip":
      return sourceField("ipBlocks", values, request);
    case "destination.port":
      return values.includes(request.port);
    default:
      return "unknown";
  }
}

/** Istio's text matches: exact, `prefix*`, `*suffix`, and `*` for any that is there. */
function fits(pattern: string, text: string): boolean {
  if (pattern === "*") return text !== "";
  if (pattern.startsWith("*")) return text.endsWith(pattern.slice(1));
  if (pattern.endsWith("*")) return text.startsWith(pattern.slice(0, -1));
  return pattern === text;
}

/** Paths may have `{*}` for one segment and `{**}` for any number. */
function pathFits(pattern: string, path: string): boolean {
  if (!pattern.includes("{")) return fits(pattern, path);
  const expression = pattern
    .split(/(\{\*{1,2}\})/)
    .map((part) => (part === "{*}" ? "[^/]+" : part === "{**}" ? ".*" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${expression.join("")}$`).test(path);
}

function inBlock(ip: string, block: string): boolean {
  const [network = "", bits] = block.split("/");
  const [a, b] = [numberOf(ip), numberOf(network)];
  if (a === undefined || b === undefined) return ip === network; // IPv6: single addresses alone.
  const size = 2 ** (32 - (bits === undefined ? 32 : Number(bits)));
  return Math.floor(a / size) === Math.floor(b / size);
}

function numberOf(ip: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(ip)?.slice(1).map(Number);
  return parts?.reduce((sum, part) => sum * 256 + part, 0);
}

function all(parts: readonly Tri[]): Tri {
  if (parts.includes(false)) return false;
  return parts.includes("unknown") ? "unknown" : true;
}

function any(parts: readonly Tri[]): Tri {
  if (parts.includes(true)) return true;
  return parts.includes("unknown") ? "unknown" : false;
}

function not(value: Tri): Tri {
  return value === "unknown" ? value : !value;
}
