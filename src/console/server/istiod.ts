import { ChainmailError } from "../../base/index.ts";

/** One proxy's line of `/debug/syncz`. */
export interface SyncRow {
  proxy: string;
  proxy_type?: string;
  cluster_id?: string;
  istio_version?: string;
  [field: string]: unknown;
}

/** A change's way to the proxies, as `/debug/changez` has it. Times in ms. */
export interface ChangeRow {
  at: number;
  proxies: number;
  unaffected: number;
  applied: number;
  refused: { proxy: string; error: string }[];
  waiting: number;
  milliseconds?: number;
}

/** What istiod tells of itself and of its proxies. */
export interface Istiod {
  /** How each connected proxy stands, as `/debug/syncz` has it. */
  syncz(): Promise<SyncRow[]>;
  /** What istiod sends one proxy: parts of Envoy's config dump in protojson. `proxy` is `pod.namespace`. */
  configDump(proxy: string): Promise<{ configs: Record<string, unknown>[] }>;
  /** How far the last changes of an object have come, the newest first; `key` is `<kind>/<namespace>/<name>`. Empty for an istiod that is not ours. */
  changes(key: string): Promise<ChangeRow[]>;
  /** `version-revision-status`. */
  version(): Promise<string>;
}

const TIMEOUT_MS = 4_000;
/** A mesh of a thousand services has dumps of some 20 MB. */
const MAX_BYTES = 64 << 20;

/**
 * Asks istiod's debug pages over the pod network. They take a token of istiod's own namespace with istiod's audience,
 * which shows who asks and opens nothing else of the API; so the console needs no right to forward ports, which would
 * reach every pod's loopback.
 */
export function createIstiod(options: { baseUrl: string; token(): string | undefined }): Istiod {
  const ask = async (path: string): Promise<Response> => {
    const token = options.token();
    let answer: Response;
    try {
      answer = await fetch(`${options.baseUrl}${path}`, {
        headers: token ? { authorization: `Bearer ${token}` } : {},
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      throw new ChainmailError("ISTIOD_UNREACHABLE", `istiod at ${options.baseUrl} does not answer`, {
        cause,
        hint: "kubectl get pods -n istio-system -l app=istiod",
      });
    }
    if (!answer.ok) {
      const text = (await answer.text()).trim().slice(0, 300);
      throw new ChainmailError(answer.status === 404 ? "PROXY_NOT_CONNECTED" : "ISTIOD_REFUSED", `istiod answered ${answer.status}: ${text}`, {
        hint: "istioctl proxy-status",
      });
    }
    if (Number(answer.headers.get("content-length") ?? 0) > MAX_BYTES)
      throw new ChainmailError("ISTIOD_ANSWER_TOO_LARGE", `istiod's answer to ${path} is larger than ${MAX_BYTES} bytes`);
    return answer;
  };
  return {
    async changes(key) {
      const rows = await ask(`/debug/changez?key=${encodeURIComponent(key)}`).then(
        (answer) => answer.json() as Promise<unknown>,
        (thrown: unknown) => {
          if (thrown instanceof ChainmailError && thrown.code === "PROXY_NOT_CONNECTED") return []; // 404: an istiod of Istio's.
          throw thrown;
        },
      );
      return Array.isArray(rows) ? (rows as ChangeRow[]).filter((row) => typeof row.at === "number") : [];
    },
    async syncz() {
      const rows: unknown = await (await ask("/debug/syncz")).json();
      return Array.isArray(rows) ? (rows as SyncRow[]).filter((row) => typeof row.proxy === "string") : [];
    },
    async configDump(proxy) {
      const dump: unknown = await (await ask(`/debug/config_dump?proxyID=${encodeURIComponent(proxy)}`)).json();
      const configs = typeof dump === "object" && dump !== null && "configs" in dump ? dump.configs : undefined;
      if (!Array.isArray(configs)) throw new ChainmailError("ISTIOD_REFUSED", `istiod's dump of ${proxy} has no configs`);
      return { configs: configs as Record<string, unknown>[] };
    },
    version: async () => (await (await ask("/version")).text()).trim(),
  };
}
