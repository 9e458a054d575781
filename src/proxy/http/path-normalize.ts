/** What a path may hold that needs work: escapes, back-slashes, dot segments, characters that URLs escape. */
const NEEDS_WORK = /[%\\"<>^`{|}#]|\/\.|^[^/]/;

/**
 * RFC 3986's path normalization as Envoy does it: dot segments go, back-slashes are slashes, escaped unreserved characters
 * are themselves, the query stays. Undefined when the path must be refused (no leading slash, a fragment, `%00`).
 */
export function normalizePath(target: string): string | undefined {
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  if (!NEEDS_WORK.test(path)) return target;
  if (path.includes("#") || !path.startsWith("/")) return undefined;
  const query = queryAt < 0 ? "" : target.slice(queryAt);
  let failed = false;
  const decoded = path
    .replace(/%([0-9a-fA-F]{2})?/g, (whole, hex: string | undefined) => {
      if (hex === undefined) return whole;
      const code = Number.parseInt(hex, 16);
      if (code === 0) failed = true;
      const char = String.fromCharCode(code);
      return /[A-Za-z0-9\-._~]/.test(char) ? char : whole;
    })
    .replace(/\\/g, "/")
    .replace(/["<>^`{|}]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return failed ? undefined : removeDotSegments(decoded) + query;
}

/** `//` in a path becomes `/`, the query stays. */
export function mergeSlashes(target: string): string {
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  return path.replace(/\/{2,}/g, "/") + (queryAt < 0 ? "" : target.slice(queryAt));
}

function removeDotSegments(path: string): string {
  const segments = path.split("/");
  const out: string[] = [];
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i] as string;
    const last = i === segments.length - 1;
    if (segment === "..") {
      out.pop();
      if (last) out.push("");
    } else if (segment === ".") {
      if (last) out.push("");
    } else out.push(segment);
  }
  return `/${out.join("/")}`;
}
