import type { HttpMatchRequest, HttpRoute, StringMatch } from "../../../resources/index.ts";

/** A root's route with the routes of the VirtualService that it delegates to; those that contradict the root drop out. */
export function mergeDelegate(root: HttpRoute, delegate: readonly HttpRoute[]): HttpRoute[] {
  return delegate.flatMap((route) => {
    const match = mergeMatches(root.match ?? [], route.match ?? []);
    if (!match) return [];
    const { delegate: _, match: __, ...inherited } = root;
    // What decides where requests go is the delegate's alone; everything else it may leave to the root.
    const { route: ___, redirect: ____, name: rootName, ...defaults } = inherited;
    const merged: HttpRoute = { ...defaults, ...route };
    const name = joinNames(rootName, route.name);
    if (name) merged.name = name;
    if (match.length > 0) merged.match = match;
    else delete merged.match;
    return [merged];
  });
}

/** Every match of the delegate within each match of the root that it does not contradict; undefined when one fits none. */
function mergeMatches(root: readonly HttpMatchRequest[], delegate: readonly HttpMatchRequest[]): HttpMatchRequest[] | undefined {
  if (root.length === 0) return [...delegate];
  if (delegate.length === 0) return [...root];
  const merged: HttpMatchRequest[] = [];
  for (const leaf of delegate) {
    const fitting = root.filter((match) => !contradicts(match, leaf));
    if (fitting.length === 0) return undefined;
    for (const match of fitting) merged.push(mergeMatch(match, leaf));
  }
  return merged;
}

function mergeMatch(root: HttpMatchRequest, leaf: HttpMatchRequest): HttpMatchRequest {
  const merged: HttpMatchRequest = { ...root, ...leaf };
  const name = joinNames(root.name, leaf.name);
  if (name) merged.name = name;
  if (root.headers || leaf.headers) merged.headers = { ...root.headers, ...leaf.headers };
  if (root.withoutHeaders || leaf.withoutHeaders) merged.withoutHeaders = { ...root.withoutHeaders, ...leaf.withoutHeaders };
  if (root.queryParams || leaf.queryParams) merged.queryParams = { ...root.queryParams, ...leaf.queryParams };
  if (root.sourceLabels || leaf.sourceLabels) merged.sourceLabels = { ...root.sourceLabels, ...leaf.sourceLabels };
  if (leaf.ignoreUriCase === undefined) delete merged.ignoreUriCase;
  if (!leaf.gateways?.length && root.gateways) merged.gateways = root.gateways;
  return merged;
}

function contradicts(root: HttpMatchRequest, leaf: HttpMatchRequest): boolean {
  for (const field of ["uri", "scheme", "method", "authority"] as const) if (stringsContradict(root[field], leaf[field])) return true;
  for (const field of ["headers", "withoutHeaders", "queryParams"] as const) {
    for (const [name, match] of Object.entries(leaf[field] ?? {})) if (stringsContradict(root[field]?.[name], match)) return true;
  }
  if (Boolean(root.ignoreUriCase) !== Boolean(leaf.ignoreUriCase)) return true;
  if (root.port && leaf.port && root.port !== leaf.port) return true;
  if (root.sourceNamespace && root.sourceNamespace !== leaf.sourceNamespace) return true;
  for (const [label, value] of Object.entries(leaf.sourceLabels ?? {})) {
    const own = root.sourceLabels?.[label];
    if (own !== undefined && own !== value) return true;
  }
  if (root.gateways?.length && leaf.gateways?.length) return leaf.gateways.some((gateway) => !root.gateways?.includes(gateway));
  return false;
}

/** Whether a leaf may match what the root does not. */
function stringsContradict(root: StringMatch | undefined, leaf: StringMatch | undefined): boolean {
  if (!root || !leaf) return false;
  const any = (match: StringMatch): boolean => Boolean(match.regex || match.prefix || match.exact);
  if (root.regex && any(leaf)) return true;
  if (leaf.regex && any(root)) return true;
  if (root.exact) return Boolean(leaf.prefix) || leaf.exact !== root.exact;
  if (root.prefix) return !(leaf.prefix ?? leaf.exact ?? "").startsWith(root.prefix);
  return false;
}

function joinNames(root: string | undefined, leaf: string | undefined): string {
  return root && leaf ? `${root}-${leaf}` : leaf || root || "";
}
