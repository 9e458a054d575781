import type { KubeObject } from "../../../resources/types.ts";
import { list, object, strings, text } from "../proxy-config/dump.ts";
import { destinationsOf, fullHost, hasLabels, hostMatches, namespaceOf, qualifiedName, spec, specHosts, type Analyzer, type Finding, type World } from "./world.ts";

const MESH = "mesh";

export const gatewayReferences: Analyzer = {
  name: "virtualservice.GatewayAnalyzer",
  description: "Checks the gateways associated with each virtual service",
  run: (world) =>
    world.kind("VirtualService").flatMap((about) =>
      strings(spec(about).gateways)
        .filter((name) => name !== MESH)
        .flatMap((name) => {
          const full = qualifiedName(name, namespaceOf(about));
          const gateway = world.find("Gateway", full.namespace, full.name);
          const findings: Finding[] = [];
          if (!gateway) findings.push({ level: "Error", code: "IST0101", about, message: `Referenced gateway not found: ${JSON.stringify(name)}` });
          if (!gateway || !hostsInGateway(gateway, about)) {
            findings.push({
              level: "Warning",
              code: "IST0132",
              about,
              message: `one or more host [${specHosts(about).join(" ")}] defined in VirtualService ${namespaceOf(about)}/${about.metadata.name} not found in Gateway ${full.namespace}/${full.name}.`,
            });
          }
          return findings;
        }),
    ),
};

/** Whether each host of a VirtualService is one that a server of the gateway takes, for its namespace. */
function hostsInGateway(gateway: KubeObject, virtualService: KubeObject): boolean {
  const taken = list(spec(gateway).servers).flatMap((server) => strings(server.hosts)).map((host) => qualifiedName(host, "*"));
  return specHosts(virtualService).every((host) =>
    taken.some(({ namespace, name }) => {
      const open = namespace === "*" || (namespace === "." ? namespaceOf(gateway) : namespace) === namespaceOf(virtualService);
      return open && (hostMatches(name, host) || hostMatches(host, name));
    }),
  );
}

export const destinationHosts: Analyzer = {
  name: "virtualservice.DestinationHostAnalyzer",
  description: "Checks the destination hosts associated with each virtual service",
  run: (world) =>
    world.kind("VirtualService").flatMap((about) =>
      unique(destinationsOf(about), ({ host, port }) => `${host} ${port ?? ""}`).flatMap(({ host, port }): Finding[] => {
        const target = world.host(host, namespaceOf(about));
        if (!target) return [{ level: "Error", code: "IST0101", about, message: `Referenced host not found: ${JSON.stringify(host)}` }];
        const ports = target.kind === "Service" ? list(spec(target).ports) : [];
        if (port !== undefined || ports.length < 2) return [];
        const numbers = ports.map((entry) => String(entry.port)).join(" ");
        return [{ level: "Error", code: "IST0112", about, message: `This VirtualService routes to a service ${JSON.stringify(host)} that exposes multiple ports [${numbers}]. Specifying a port in the destination is required to disambiguate.` }];
      }),
    ),
};

export const destinationSubsets: Analyzer = {
  name: "virtualservice.DestinationRuleAnalyzer",
  description: "Checks the destination rules associated with each virtual service",
  run: (world) =>
    world.kind("VirtualService").flatMap((about) =>
      unique(destinationsOf(about), ({ host, subset }) => `${host}+${subset}`)
        .filter(({ host, subset }) => subset !== "" && !subsetExists(world, host, subset, namespaceOf(about)))
        .map(({ host, subset }): Finding => ({ level: "Error", code: "IST0101", about, message: `Referenced host+subset in destinationrule not found: ${JSON.stringify(`${host}+${subset}`)}` })),
    ),
};

function subsetExists(world: World, host: string, subset: string, namespace: string): boolean {
  const wanted = fullHost(host, namespace);
  return world.kind("DestinationRule").some((rule) => hostMatches(fullHost(text(spec(rule).host), namespaceOf(rule)), wanted) && list(spec(rule).subsets).some(({ name }) => name === subset));
}

export const conflictingMeshHosts: Analyzer = {
  name: "virtualservice.ConflictingMeshGatewayHostsAnalyzer",
  description: "Checks if multiple virtual services associated with the mesh gateway have conflicting hosts",
  run(world) {
    const byHost = new Map<string, KubeObject[]>();
    for (const virtualService of world.kind("VirtualService")) {
      const gateways = strings(spec(virtualService).gateways);
      if (gateways.length > 0 && !gateways.includes(MESH)) continue;
      const exports = strings(spec(virtualService).exportTo);
      // A host that only its own namespace sees conflicts there only.
      const scope = exports.length === 1 && exports[0] === "." ? namespaceOf(virtualService) : "*";
      for (const host of specHosts(virtualService)) {
        const key = `${scope} ${fullHost(host, namespaceOf(virtualService))}`;
        byHost.set(key, [...(byHost.get(key) ?? []), virtualService]);
      }
    }
    return [...byHost].flatMap(([key, services]) => {
      if (services.length < 2) return [];
      const names = services.map((service) => `${namespaceOf(service)}/${service.metadata.name}`).sort().join(",");
      const host = key.slice(key.indexOf(" ") + 1);
      return services.map(
        (about): Finding => ({
          level: "Error",
          code: "IST0109",
          about,
          message: `The VirtualServices ${names} associated with mesh gateway define the same host ${host} which can lead to undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.`,
        }),
      );
    });
  },
};

export const claimRoutes: Analyzer = {
  name: "virtualservice.JWTClaimRouteAnalyzer",
  description: "Checks the VirtualService using JWT claim based routing has corresponding RequestAuthentication",
  run(world) {
    return world.kind("VirtualService").flatMap((about) => {
      const key = claimKey(about);
      if (key === undefined) return [];
      return strings(spec(about).gateways).flatMap((name) => {
        const full = qualifiedName(name, namespaceOf(about));
        const gateway = world.find("Gateway", full.namespace, full.name);
        if (!gateway) return [];
        const selector = Object.fromEntries(Object.entries(object(spec(gateway).selector)).map(([label, value]) => [label, text(value)]));
        return world.pods(selector).filter((pod) => !authenticated(world, pod)).map(
          (pod): Finding => ({
            level: "Error",
            code: "IST0149",
            about,
            message: `The virtual service uses the JWT claim based routing (key: ${key}) but found no request authentication for the gateway (${full.namespace}/${full.name}) pod (${pod.metadata.name}). The request authentication must first be applied for the gateway pods to validate the JWT token and make the claims available for routing.`,
          }),
        );
      });
    });
  },
};

function claimKey(virtualService: KubeObject): string | undefined {
  for (const route of list(spec(virtualService).http)) {
    for (const match of list(route.match)) {
      for (const name of [...Object.keys(object(match.headers)), ...Object.keys(object(match.withoutHeaders))]) if (name.startsWith("@request.auth.claims")) return name;
    }
  }
  return undefined;
}

function authenticated(world: World, pod: KubeObject): boolean {
  return world.kind("RequestAuthentication").some((policy) => {
    const inReach = namespaceOf(policy) === namespaceOf(pod) || namespaceOf(policy) === world.rootNamespace;
    const labels = Object.fromEntries(Object.entries(object(object(spec(policy).selector).matchLabels)).map(([label, value]) => [label, text(value)]));
    return inReach && hasLabels(pod, labels);
  });
}

function unique<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
