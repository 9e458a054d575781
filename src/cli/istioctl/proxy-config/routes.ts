import { goSort } from "../format/go-sort.ts";
import { tabwriter } from "../format/tabwriter.ts";
import { list, object, routesOf, strings, text, type ConfigDump, type Json } from "./dump.ts";
import { describeMatch } from "./listeners.ts";
import { managedBy } from "./subset-key.ts";

/** Route configurations that pass, in istioctl's order: numeric names by their number, others where the sort leaves them. */
export function selectRoutes(dump: ConfigDump, name: string | undefined): Json[] {
  const sorted = goSort(routesOf(dump), (a, b) => {
    const [x, y] = [numeric(text(a.name)), numeric(text(b.name))];
    return x !== undefined && y !== undefined && x < y;
  });
  return sorted.filter((route) => !name || route.name === name);
}

export function routeTable(dump: ConfigDump, name: string | undefined, options: { verbose: boolean; typed?: boolean }): string {
  const routes = selectRoutes(dump, name);
  const label = (route: Json): string => (options.typed ? `route/${text(route.name)}` : text(route.name));
  if (!options.verbose) return tabwriter([["NAME", "VIRTUAL HOSTS"], ...routes.map((route) => [label(route), String(list(route.virtual_hosts).length)])], 5);
  const rows = routes.flatMap((route) =>
    list(route.virtual_hosts).flatMap((host) => {
      const lead = [label(route), text(host.name), describeDomains(strings(host.domains))];
      const entries = list(host.routes);
      if (entries.length === 0) return [[...lead, "/*", "404"]];
      return entries
        .filter((entry) => object(entry.route).cluster !== "PassthroughCluster")
        .map((entry) => [...lead, describeMatch(object(entry.match)), managedBy(entry.metadata)]);
    }),
  );
  return tabwriter([["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"], ...rows], 5);
}

function numeric(name: string): number | undefined {
  return /^[-+]?\d+$/.test(name) ? Number(name) : undefined;
}

/** At most two domains and how many more; names with ports and expansions of shorter names are left out. */
function describeDomains(domains: readonly string[]): string {
  if (domains.length <= 1) return domains[0] ?? "";
  const kept = domains.filter((domain) => !domain.includes(":") || (domain.split(":").length > 3 && domain.endsWith("]")));
  const known = new Set(kept);
  const short = kept.filter(
    (domain) => ![".svc.cluster.local", ".svc"].some((suffix) => domain.endsWith(suffix) && known.has(domain.slice(0, -suffix.length))),
  );
  return short.length > 2 ? `${short.slice(0, 2).join(", ")} + ${short.length - 2} more...` : short.join(", ");
}
