import type { KubeObject } from "../../../resources/types.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { fullHost } from "./hosts.ts";
import { explodes } from "./regex.ts";
import { fullName, list, namespaceOf, object, qualifiedName, spec, strings, text, type Json } from "./world.ts";

/*
 * What is valid and does harm, and what Istio's analyzers say nothing of. The codes are Chainmail's own, apart from
 * Istio's numbers. Each is a warning: everything else in the mesh goes on as it was.
 */

/** Each proxy that a resource concerns gets what became of it again with each of its changes. */
const LARGE_BYTES = 262_144;

/** Hosts that are names for each other. */
export const circularHosts: Analyzer = {
  name: "harmful.CircularHostsAnalyzer",
  description: "Checks for ExternalName services and ServiceEntries that lead to each other in a circle",
  needs: [],
  run(world) {
    const edges = new Map<string, Edge>();
    for (const about of world.kind("Service")) {
      const target = text(spec(about).externalName);
      if (spec(about).type === "ExternalName" && target !== "")
        edges.set(fullHost(about.metadata.name, namespaceOf(about)), { about, to: [target.replace(/\.$/, "")] });
    }
    for (const about of world.kind("ServiceEntry")) {
      const { hosts, endpoints, resolution } = spec(about);
      if (resolution !== "DNS" && resolution !== "DNS_ROUND_ROBIN") continue;
      // An entry may name its own host as its endpoint: that is what one without endpoints means.
      for (const host of strings(hosts))
        edges.set(host, {
          about,
          to: list(endpoints)
            .map(({ address }) => text(address))
            .filter((address) => address !== host),
        });
    }
    return circles(edges).map(({ about, circle }) => ({
      code: "CHM0001",
      about,
      message: `The hosts ${circle.join(" -> ")} lead to each other in a circle: no connection to any of them reaches a server by its name.`,
    }));
  },
};

export const circularDelegates: Analyzer = {
  name: "harmful.CircularDelegatesAnalyzer",
  description: "Checks for VirtualServices that delegate to each other in a circle",
  needs: [],
  run(world) {
    const edges = new Map<string, Edge>();
    for (const about of world.kind("VirtualService")) {
      const to = list(spec(about).http).flatMap(({ delegate }) => {
        const { name, namespace } = object(delegate);
        return text(name) === "" ? [] : [fullName({ ...about, metadata: qualifiedName(text(name), text(namespace) || namespaceOf(about)) })];
      });
      edges.set(fullName(about), { about, to });
    }
    return circles(edges).map(({ about, circle }) => ({
      code: "CHM0002",
      about,
      message: `The VirtualServices ${circle.join(" -> ")} delegate to each other in a circle: these routes are left out.`,
    }));
  },
};

export const explosiveRegexes: Analyzer = {
  name: "harmful.ExplosiveRegexAnalyzer",
  description: "Checks for regular expressions whose parts can match the same text in very many ways",
  needs: [],
  run: (world) =>
    world.kind("VirtualService").flatMap((about) =>
      regexesOf(spec(about).http, ".spec.http").flatMap(({ regex, path }): Finding[] =>
        explodes(regex)
          ? [
              {
                code: "CHM0003",
                about,
                message: `The regular expression ${JSON.stringify(shortened(regex))} repeats what repeats itself already: the ways in which it can match grow with every character. Repeat once only.`,
                path,
              },
            ]
          : [],
      ),
    ),
};

const ISTIO_KINDS = [
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "ServiceEntry",
  "Sidecar",
  "EnvoyFilter",
  "AuthorizationPolicy",
  "RequestAuthentication",
  "PeerAuthentication",
  "Telemetry",
  "WasmPlugin",
  "TrafficExtension",
  "WorkloadEntry",
  "ProxyConfig",
];

export const largeResources: Analyzer = {
  name: "harmful.LargeResourceAnalyzer",
  description: "Checks for resources so large that each of their changes costs every proxy",
  needs: [],
  run: (world) =>
    ISTIO_KINDS.flatMap((kind) => world.kind(kind)).flatMap((about): Finding[] => {
      const size = JSON.stringify(about.spec ?? {}).length;
      if (size <= LARGE_BYTES) return [];
      return [
        {
          code: "CHM0004",
          about,
          message: `This resource has ${Math.round(size / 1024)} KiB: what becomes of it is sent to every proxy that it concerns with each of its changes. Split it, or limit who sees it (exportTo, selectors).`,
        },
      ];
    }),
};

export const HARMFUL: readonly Analyzer[] = [circularHosts, circularDelegates, explosiveRegexes, largeResources];

interface Edge {
  readonly about: KubeObject;
  readonly to: readonly string[];
}

/** The members of circles, each with the circle as it is seen from there. */
function circles(edges: ReadonlyMap<string, Edge>): { about: KubeObject; circle: string[] }[] {
  return [...edges].flatMap(([start, { about }]) => {
    const circle = wayBack(start, edges);
    return circle ? [{ about, circle }] : [];
  });
}

/** The shortest way from a name to itself: `[a, b, a]`. */
function wayBack(start: string, edges: ReadonlyMap<string, Edge>): string[] | undefined {
  const before = new Map<string, string>();
  let front = [start];
  while (front.length > 0) {
    const next: string[] = [];
    for (const name of front) {
      for (const target of edges.get(name)?.to ?? []) {
        if (target === start) {
          const way = [start];
          for (let at = name; at !== start; at = before.get(at) ?? start) way.unshift(at);
          return [start, ...way];
        }
        if (before.has(target)) continue;
        before.set(target, name);
        next.push(target);
      }
    }
    front = next;
  }
  return undefined;
}

/** Every text under a key `regex`, and what a rewrite matches. */
function regexesOf(value: unknown, path: string): { regex: string; path: string }[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown, index) => regexesOf(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value as Json).flatMap(([key, item]) => {
    const at = `${path}.${key}`;
    if (typeof item === "string") return key === "regex" || (key === "match" && path.endsWith(".uriRegexRewrite")) ? [{ regex: item, path: at }] : [];
    return regexesOf(item, at);
  });
}

function shortened(regex: string): string {
  return regex.length > 60 ? `${regex.slice(0, 57)}...` : regex;
}
