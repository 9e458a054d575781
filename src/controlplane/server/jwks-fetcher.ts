import { errorText, type Clock, type Logger } from "../../base/index.ts";
import type { Registry } from "../registry/index.ts";
import { fetchText, type Fetch } from "./fetch-json.ts";

export interface JwksFetcher {
  /** The key set as it was last fetched; undefined until then. */
  get(issuer: string, jwksUri: string | undefined): string | undefined;
  /** Called when keys have come or changed. */
  onChange(listener: () => void): () => void;
  stop(): void;
}

export interface JwksFetcherOptions {
  registry: Registry;
  clock: Clock;
  log: Logger;
  fetch?: Fetch;
  /** 0 ≤ x < 1, so that all issuers are not asked at once. */
  random?: () => number;
}

/** PILOT_JWT_PUB_KEY_REFRESH_INTERVAL. */
const REFRESH_MS = 20 * 60_000;
/** An issuer that cannot be reached keeps its old keys in force, and is asked again soon. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

interface Source {
  issuer: string;
  jwksUri: string | undefined;
  keys: string | undefined;
  cancel: () => void;
}

/** Fetches the key sets that RequestAuthentications name by URI, or that issuers publish, and keeps them fresh. */
export function createJwksFetcher(options: JwksFetcherOptions): JwksFetcher {
  const { registry, clock, log, random = Math.random } = options;
  const sources = new Map<string, Source>();
  const listeners = new Set<() => void>();
  let stopped = false;

  const read = (url: string): Promise<string> => fetchText(url, options.fetch);
  const refresh = async (source: Source, retryMs: number): Promise<void> => {
    let next = REFRESH_MS * (0.9 + 0.2 * random());
    try {
      const keys = await read(source.jwksUri ?? (await discover(source.issuer, read)));
      if (!isKeySet(keys)) throw new Error("the answer is not a JSON Web Key Set");
      if (keys !== source.keys) {
        source.keys = keys;
        log.info("fetched the keys of a token issuer", { issuer: source.issuer });
        for (const listener of listeners) listener();
      }
    } catch (thrown) {
      log.warn("could not fetch the keys of a token issuer", {
        issuer: source.issuer,
        error: errorText(thrown),
        keeps_old_keys: source.keys !== undefined,
        wait_ms: retryMs,
      });
      next = retryMs;
    }
    if (stopped || !sources.has(keyOf(source.issuer, source.jwksUri))) return;
    source.cancel = clock.after(next, () => void refresh(source, next === retryMs ? Math.min(retryMs * 2, MAX_RETRY_MS) : FIRST_RETRY_MS));
  };
  const follow = (): void => {
    const wanted = new Set<string>();
    for (const { spec } of registry.current().configs.RequestAuthentication) {
      for (const { issuer = "", jwks, jwksUri, jwks_uri: oldUri } of spec?.jwtRules ?? []) {
        if (jwks) continue;
        const uri = jwksUri ?? oldUri;
        const key = keyOf(issuer, uri);
        wanted.add(key);
        if (sources.has(key)) continue;
        const source: Source = { issuer, jwksUri: uri, keys: undefined, cancel: () => {} };
        sources.set(key, source);
        void refresh(source, FIRST_RETRY_MS);
      }
    }
    for (const [key, source] of sources) {
      if (wanted.has(key)) continue;
      source.cancel();
      sources.delete(key);
    }
  };
  const unsubscribe = registry.onChange(({ kinds }) => kinds.has("RequestAuthentication") && follow());
  void registry.synced.then(() => !stopped && follow());
  return {
    get: (issuer, jwksUri) => sources.get(keyOf(issuer, jwksUri))?.keys,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      stopped = true;
      unsubscribe();
      for (const source of sources.values()) source.cancel();
      sources.clear();
    },
  };
}

/** Where an issuer says that its keys are (OpenID Connect Discovery 1.0, section 4). */
async function discover(issuer: string, read: (url: string) => Promise<string>): Promise<string> {
  const document: unknown = JSON.parse(await read(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`));
  const uri = typeof document === "object" && document !== null && "jwks_uri" in document ? document.jwks_uri : undefined;
  if (typeof uri !== "string") throw new Error("the issuer's discovery document names no jwks_uri");
  return uri;
}

function isKeySet(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && "keys" in parsed && Array.isArray(parsed.keys);
  } catch {
    return false;
  }
}

const keyOf = (issuer: string, uri: string | undefined): string => (uri === undefined ? `issuer ${issuer}` : `uri ${uri}`);
