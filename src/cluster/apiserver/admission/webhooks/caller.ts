import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { errorText } from "../../../../base/index.ts";
import type { KubeObject, Service, Webhook } from "../../../../resources/index.ts";
import type { Store } from "../../../store/index.ts";
import type { Dial } from "../../types.ts";

/** A call that did not bring an answer; failurePolicy says what that means. */
export class WebhookUnavailable extends Error {}

/** Answers beyond that are refused: a patch is smaller than the object, and that is bounded. */
const MAX_ANSWER_BYTES = 8 << 20;

/** Posts reviews to webhooks: to a Service by its cluster address through the node, or to a URL from here. */
export class WebhookCaller {
  constructor(
    private readonly store: Store,
    private readonly dial: Dial,
  ) {}

  /** The answer's body. Throws WebhookUnavailable, worded as the real server's client. */
  async post(webhook: Webhook, body: string): Promise<string> {
    const seconds = webhook.timeoutSeconds ?? 10;
    const { clientConfig } = webhook;
    const url = new URL(clientConfig.url ?? serviceUrl(clientConfig.service));
    url.searchParams.set("timeout", `${seconds}s`);
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), seconds * 1000);
    try {
      return await this.#exchange(webhook, url, body, deadline.signal);
    } catch (error) {
      const why = deadline.signal.aborted ? "context deadline exceeded" : errorText(error);
      throw new WebhookUnavailable(`failed to call webhook: Post ${JSON.stringify(url.href)}: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange({ clientConfig }: Webhook, url: URL, body: string, signal: AbortSignal): Promise<string> {
    const ca = clientConfig.caBundle ? Buffer.from(clientConfig.caBundle, "base64").toString() : undefined;
    const headers = {
      "content-type": "application/json",
      accept: "application/json",
      "content-length": Buffer.byteLength(body),
      host: url.host,
      "user-agent": "kube-apiserver-admission",
    };
    const options = { method: "POST", path: url.pathname + url.search, headers, signal };
    if (!clientConfig.service) {
      return read((onResponse) => https.request({ ...options, host: url.hostname, port: url.port || 443, ...(ca ? { ca } : {}) }, onResponse), body);
    }
    const socket = await this.#connect(clientConfig.service, ca, signal);
    try {
      return await read((onResponse) => http.request({ ...options, createConnection: () => socket }, onResponse), body);
    } finally {
      socket.destroy();
    }
  }

  /** TLS to the service's cluster address, which must show a certificate for `name.namespace.svc` by the webhook's CA. */
  async #connect(
    { namespace, name, port = 443 }: NonNullable<Webhook["clientConfig"]["service"]>,
    ca: string | undefined,
    signal: AbortSignal,
  ): Promise<tls.TLSSocket> {
    const service = this.store.get("/services", namespace, name)?.object as KubeObject | undefined as Service | undefined;
    if (!service) throw new Error(`service ${JSON.stringify(name)} not found`);
    const address = service.spec?.clusterIP;
    if (!address || address === "None") throw new Error(`service ${JSON.stringify(name)} has no cluster address`);
    if (!service.spec?.ports?.some((one) => one.port === port)) throw new Error(`service ${JSON.stringify(name)} has no port ${port}`);
    const raw: Duplex = await this.dial(address, port);
    if (signal.aborted) {
      raw.destroy();
      throw new Error("aborted");
    }
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ socket: raw, servername: `${name}.${namespace}.svc`, ALPNProtocols: ["http/1.1"], ...(ca ? { ca } : {}) });
      const fail = (error: Error) => {
        socket.destroy();
        raw.destroy();
        reject(error);
      };
      socket.once("secureConnect", () => {
        // Bun reports what is wrong with the certificate here as well as by an error; neither may be taken for trust.
        if (!socket.authorized)
          fail(socket.authorizationError instanceof Error ? socket.authorizationError : new Error(`x509: ${String(socket.authorizationError)}`));
        else resolve(socket);
      });
      socket.on("error", fail);
      raw.on("error", fail);
      socket.once("close", () => fail(new Error("EOF")));
      signal.addEventListener("abort", () => fail(new Error("aborted")), { once: true });
    });
  }
}

function serviceUrl(service: Webhook["clientConfig"]["service"]): string {
  const { namespace = "", name = "", path = "/", port = 443 } = service ?? {};
  // As the real server writes it in errors: the port is always there.
  return `https://${name}.${namespace}.svc${port === 443 ? "" : `:${port}`}${path.startsWith("/") ? path : `/${path}`}`;
}

function read(start: (onResponse: (response: http.IncomingMessage) => void) => http.ClientRequest, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = start((response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) request.destroy(new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`the server returned status ${response.statusCode ?? 0}: ${text.slice(0, 256)}`));
      });
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}
