import type { RemoteJwks } from "../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts";
import { durationMs } from "../../durations.ts";
import { HeaderMap, type RequestHead } from "../../http/header-map.ts";
import type { Services } from "../../services.ts";
import { InvalidResource } from "../../types.ts";
import { callCluster } from "../../upstream/call.ts";
import { KeySet } from "./token.ts";

/** Envoy's default of cache_duration. */
const DEFAULT_CACHE_MS = 600_000;

/**
 * An issuer's keys, fetched when the first token needs them and again when they have grown old (`async_fetch` only says when
 * that may happen earlier). Who comes while they are being fetched waits for the same answer.
 */
export class RemoteKeys {
  keys: KeySet | undefined;
  #freshUntil = -Infinity;
  #waiting: (() => void)[] = [];
  readonly #cluster: string;
  readonly #head: RequestHead;
  readonly #timeoutMs: number;
  readonly #cacheMs: number;

  /** Throws InvalidResource. */
  constructor(
    proto: RemoteJwks,
    private readonly services: Services,
    private readonly onNewKeys: () => void,
  ) {
    const uri = proto.httpUri;
    const parts = /^(https?):\/\/([^/]+)(\/.*)?$/.exec(uri?.uri ?? "");
    if (!uri || uri.httpUpstreamType.case !== "cluster" || !parts)
      throw new InvalidResource("INVALID_JWKS", "RemoteJwksValidationError.HttpUri: a uri with its cluster is required");
    const [, scheme = "", authority = "", path = "/"] = parts;
    this.#cluster = uri.httpUpstreamType.value;
    this.#timeoutMs = durationMs(uri.timeout) ?? 0;
    this.#cacheMs = durationMs(proto.cacheDuration) ?? DEFAULT_CACHE_MS;
    this.#head = { method: "GET", path, authority, scheme, protocol: "HTTP/1.1", headers: new HeaderMap(), upgrade: undefined };
  }

  get stale(): boolean {
    return this.services.monotonic() >= this.#freshUntil;
  }

  /** Calls back when there are keys, or none to be had. */
  fetch(ready: () => void): void {
    this.#waiting.push(ready);
    if (this.#waiting.length > 1) return;
    callCluster(
      { cluster: this.#cluster, head: { ...this.#head, headers: new HeaderMap() }, body: Buffer.alloc(0), timeoutMs: this.#timeoutMs },
      this.services,
      (result) => {
        const reason = result.kind === "failure" ? result.reason : result.status === 200 ? this.#take(result.body.toString("utf8")) : `HTTP ${result.status}`;
        if (reason !== undefined) {
          this.keys = undefined;
          this.services.log.warn("the keys of a token issuer cannot be fetched", { cluster: this.#cluster, host: this.#head.authority, reason });
        }
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const each of waiting) each();
      },
    );
  }

  #take(text: string): string | undefined {
    try {
      this.keys = new KeySet(text);
    } catch {
      return "it is no key set";
    }
    this.#freshUntil = this.services.monotonic() + this.#cacheMs;
    this.onNewKeys();
    return undefined;
  }
}
