/** An image reference in its long form: `docker.io/library/x` for `x`. */
export interface ImageReference {
  registry: string;
  /** Without registry, tag and digest: `nicholasjackson/fake-service`. */
  path: string;
  /** Undefined where only a digest is given; "latest" where neither is. */
  tag?: string;
  digest?: string;
}

/** Longer names are refused by registries too. */
const MAX_REFERENCE_LENGTH = 4096;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const DOMAIN = /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;

/** Reads `[registry/]path[:tag][@digest]` by the rules of container registries; undefined when it is none. */
export function parseReference(text: string): ImageReference | undefined {
  if (text.length > MAX_REFERENCE_LENGTH) return undefined;
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;
  let name = at < 0 ? text : text.slice(0, at);

  let tag: string | undefined;
  const colon = name.lastIndexOf(":");
  if (colon > name.lastIndexOf("/")) {
    tag = name.slice(colon + 1);
    name = name.slice(0, colon);
    if (!TAG.test(tag)) return undefined;
  }

  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  // What comes before the first slash is a registry only if it looks like a host: a dot, a port, or localhost.
  const hasRegistry = first !== "" && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  let registry = hasRegistry ? first : "docker.io";
  if (!DOMAIN.test(registry)) return undefined;
  if (registry === "index.docker.io") registry = "docker.io";
  let path = hasRegistry ? name.slice(slash + 1) : name;
  if (registry === "docker.io" && path !== "" && !path.includes("/")) path = `library/${path}`;
  if (!PATH.test(path)) return undefined;

  const resolvedTag = tag ?? (digest === undefined ? "latest" : undefined);
  return { registry, path, ...(resolvedTag === undefined ? {} : { tag: resolvedTag }), ...(digest === undefined ? {} : { digest }) };
}

/** `docker.io/nicholasjackson/fake-service:v0.7.8`, as a kubelet reports an image. */
export function formatReference(reference: ImageReference): string {
  return `${reference.registry}/${reference.path}${reference.tag === undefined ? "" : `:${reference.tag}`}${reference.digest === undefined ? "" : `@${reference.digest}`}`;
}
