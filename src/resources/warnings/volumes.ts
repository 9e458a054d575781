/** Files of one volume that lie in each other's way: the node could not lay them out. */

interface Items {
  name?: string;
  secretName?: string;
  items?: { path?: string }[];
}

interface Source {
  configMap?: Items;
  secret?: Items;
  downwardAPI?: Items;
  serviceAccountToken?: { path?: string };
  clusterTrustBundle?: { name?: string; signerName?: string; path?: string };
}

interface Place {
  path: string;
  /** "" in a volume of one source. */
  source: string;
}

/** The real server's warnings of volumes whose files overlap, and of projections of nothing. */
export function overlappingPaths(volumes: readonly { name?: string }[]): string[] {
  return volumes.flatMap((volume) => {
    const { name = "" } = volume;
    const { configMap, secret, downwardAPI, projected } = volume as Source & { projected?: { sources?: Source[] | null } };
    const warn = (what: string) => (overlap: string) => `volume ${JSON.stringify(name)} (${what}): overlapping paths: ${overlap}`;
    return [
      ...(configMap ? overlaps(places(configMap, "")).map(warn(`ConfigMap ${JSON.stringify(configMap.name ?? "")}`)) : []),
      ...(secret ? overlaps(places(secret, "")).map(warn(`Secret ${JSON.stringify(secret.secretName ?? "")}`)) : []),
      ...(downwardAPI ? overlaps(places(downwardAPI, "")).map(warn("DownwardAPI")) : []),
      ...(projected?.sources ?? [])
        .filter((source) => Object.keys(source).length === 0)
        .map(() => `volume ${JSON.stringify(name)} (Projected) has no sources provided`),
      ...overlaps((projected?.sources ?? []).flatMap(placesOf)).map(warn("Projected")),
    ];
  });
}

function placesOf({ configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle }: Source): Place[] {
  if (configMap?.items) return places(configMap, `ConfigMap ${JSON.stringify(configMap.name ?? "")}`);
  if (secret?.items) return places(secret, `Secret ${JSON.stringify(secret.name ?? "")}`);
  if (downwardAPI?.items) return places(downwardAPI, "DownwardAPI");
  if (serviceAccountToken) return [{ path: serviceAccountToken.path ?? "", source: "ServiceAccountToken" }];
  if (clusterTrustBundle)
    return [
      { path: clusterTrustBundle.path ?? "", source: `ClusterTrustBundle ${JSON.stringify(clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? "")}` },
    ];
  return [];
}

function places({ items = [] }: Items, source: string): Place[] {
  return items.map(({ path = "" }) => ({ path, source }));
}

function overlaps(all: readonly Place[]): string[] {
  const trimmed = all.map(({ path, source }) => ({ path: path.replace(/\/+$/, ""), source }));
  return trimmed.flatMap((place, index) => {
    if (place.path === "") return [];
    const inTheWay = trimmed
      .slice(0, index)
      .filter(({ path }) => path !== "" && (`${path}/`.startsWith(`${place.path}/`) || `${place.path}/`.startsWith(`${path}/`)));
    return inTheWay.map((other) => `${shown(place)} with ${shown(other)}`);
  });
}

function shown({ path, source }: Place): string {
  return source === "" ? JSON.stringify(path) : `${JSON.stringify(path)} (${source})`;
}
