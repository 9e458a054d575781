import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { callHttp2 } from "./call-http2.ts";
import type { CertificateFiles } from "./certificates.ts";
import { readAnswers, type Answer } from "./responses.ts";
import type { Call, HttpRequest, Step, TlsCall } from "./row.ts";

/** What a caller saw. */
export interface Outcome {
  readonly tls?: "ok" | "refused";
  /** The alert that ended the handshake. */
  readonly alert?: string;
  readonly alpn?: string;
  /** The names in the certificate that the server showed. */
  readonly shown?: string;
  readonly answers: readonly Answer[];
  /** Bytes that are no answer. */
  readonly rest?: string;
  /** The connection's fate, once all was answered. */
  readonly end: "open" | "fin" | "reset" | "refused";
}

export interface CallerOptions {
  readonly address: string;
  readonly port: number;
  /** The rig's ports by name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly certificates: CertificateFiles;
  /** Multiplies all waiting: more than 1 when a row is tried again. */
  readonly patience: number;
}

/** How long nothing may come before a peer counts as silent; and how long after the last answer its FIN may take. */
const QUIET_MS = 350;
const FIRST_MS = 1000;
const FATE_MS = 60;
/** Envoy's delayed_close_timeout of a second, after which it closes what it has said to close. */
const CLOSE_MS = 1400;
/** No call takes longer than this. */
const LIMIT_MS = 6000;

/** Makes one call and tells what became of it. Never rejects: an outcome that is no answer is an outcome too. */
export async function makeCall(call: Call, options: CallerOptions): Promise<Outcome> {
  if (call.after) await Bun.sleep(call.after);
  const wire = new Wire(call, options);
  if (!(await wire.opened)) return wire.outcome([]);
  if (call.h2) return callHttp2(wire, [call.h2].flat(), options.patience);
  const { steps, methods } = call.raw ? { steps: call.raw, methods: methodsOf(call.raw) } : requestSteps([call.http ?? {}].flat());
  for (const step of steps) await wire.run(step, methods, options.patience);
  const { answers, rest } = readAnswers(wire.text, methods, wire.end !== "open");
  const mayClose = answers.some(({ headers }) => headers.connection === "close") || answers.some(({ status }) => status === 101);
  await wire.until(() => wire.end !== "open", mayClose ? CLOSE_MS : FATE_MS * options.patience);
  wire.close();
  const final = readAnswers(wire.text, methods, wire.end !== "open");
  return wire.outcome(final.answers.length >= answers.length ? final.answers : answers, final.rest || rest);
}

/** A client's side of a connection: plain or TLS, with all that has come so far. */
export class Wire {
  readonly opened: Promise<boolean>;
  socket!: Socket;
  text = "";
  end: Outcome["end"] = "open";
  #tls: Outcome["tls"];
  #alert: string | undefined;
  #alpn: string | undefined;
  #shown: string | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(
    private readonly call: Call,
    private readonly options: CallerOptions,
  ) {
    this.opened = this.#open();
  }

  outcome(answers: readonly Answer[], rest = ""): Outcome {
    return {
      ...(this.#tls && { tls: this.#tls }),
      ...(this.#alert && { alert: this.#alert }),
      ...(this.#alpn && { alpn: this.#alpn }),
      ...(this.#shown && { shown: this.#shown }),
      answers,
      ...(rest && { rest }),
      end: this.end,
    };
  }

  async run(step: Step, methods: readonly string[], patience: number): Promise<void> {
    if ("send" in step) this.socket.write(Buffer.from(step.send, "latin1"));
    else if ("wait" in step) await Bun.sleep(step.wait);
    else if ("halfClose" in step) this.socket.end();
    else if ("reset" in step) {
      this.#closed = true;
      this.socket.resetAndDestroy();
    } else if ("responses" in step) {
      await this.until(() => this.end !== "open" || readAnswers(this.text, methods, false).answers.filter(final).length >= step.responses, LIMIT_MS);
    } else if ("text" in step) await this.until(() => this.end !== "open" || this.text.includes(step.text), LIMIT_MS);
    else await this.#quiet(patience);
  }

  /** Waits until something holds, looking whenever something happens. */
  async until(holds: () => boolean, ms: number): Promise<void> {
    const deadline = Date.now() + ms;
    while (!holds()) {
      const left = deadline - Date.now();
      if (left <= 0) return;
      await this.#happening(left);
    }
  }

  close(): void {
    this.#closed = true;
    this.socket.destroy();
  }

  async #quiet(patience: number): Promise<void> {
    // The first byte of an answer may take longer than those that follow it.
    if (this.text === "") await this.until(() => this.end !== "open" || this.text !== "", FIRST_MS * patience);
    const ms = QUIET_MS * patience;
    const limit = Date.now() + LIMIT_MS;
    for (let size = -1; this.end === "open" && size !== this.text.length && Date.now() < limit;) {
      size = this.text.length;
      await this.until(() => this.end !== "open" || this.text.length !== size, ms);
    }
  }

  #happening(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #open(): Promise<boolean> {
    const { certificates } = this.options;
    const { from, preamble, tls, toIpv6 } = this.call;
    const to = toIpv6 === undefined ? { host: this.options.address, port: this.options.port } : { host: "::1", port: this.options.ports.get(toIpv6) ?? 0 };
    const plain = connectTcp({ ...to, ...(from && { localAddress: from }), allowHalfOpen: true });
    const connected = await new Promise<boolean>((resolve) => plain.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    if (!connected) {
      this.end = "refused";
      return false;
    }
    plain.setNoDelay(true);
    if (preamble) plain.write(preamble.startsWith("hex:") ? Buffer.from(preamble.slice(4), "hex") : preamble);
    this.socket = tls ? await this.#secure(plain, tls, certificates) : plain;
    if (!this.call.h2) this.#watch(this.socket);
    return this.#tls !== "refused";
  }

  async #secure(plain: Socket, tls: TlsCall, certificates: CertificateFiles): Promise<Socket> {
    const pair = tls.cert && certificates.get(tls.cert);
    const socket = connectTls({
      socket: plain,
      rejectUnauthorized: false,
      ...(tls.sni && { servername: tls.sni }),
      ...(tls.alpn && { ALPNProtocols: [...tls.alpn] }),
      ...(tls.maxVersion && { maxVersion: tls.maxVersion, minVersion: tls.maxVersion === "TLSv1.1" ? ("TLSv1" as const) : ("TLSv1.2" as const) }),
      ...(pair && { cert: pair.cert, key: pair.key }),
    });
    this.#tls = await new Promise<"ok" | "refused">((resolve) => {
      socket.once("secureConnect", () => resolve("ok"));
      socket.on("error", (error: Error & { code?: string }) => {
        this.#alert ??= /ALERT_(\w+)/.exec(error.code ?? "")?.[1];
        resolve("refused");
      });
      socket.once("close", () => resolve("refused"));
      setTimeout(() => resolve("refused"), LIMIT_MS / 3).unref();
    });
    if (this.#tls === "refused") this.end = "fin";
    else {
      this.#alpn = socket.alpnProtocol || undefined;
      this.#shown = socket.getPeerCertificate().subjectaltname;
    }
    return socket;
  }

  #watch(socket: Socket): void {
    const happened = (end?: Outcome["end"]): void => {
      if (end && this.end === "open" && !this.#closed) this.end = end;
      this.#wake?.();
    };
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      happened();
    });
    socket.on("end", () => happened("fin"));
    socket.on("error", () => happened(this.#alert ? "fin" : "reset"));
    socket.on("close", () => happened("fin"));
  }
}

const final = ({ status }: Answer): boolean => status >= 200 || status === 101;

/** Each request in its turn, as HTTP/1.1. */
function requestSteps(requests: readonly HttpRequest[]): { steps: Step[]; methods: string[] } {
  const steps = requests.flatMap((request, index): Step[] => [{ send: http1(request) }, { responses: index + 1 }]);
  return { steps, methods: requests.map(({ method = "GET" }) => method) };
}

export function http1(request: HttpRequest): string {
  const { method = "GET", path = "/", host = "row.test", headers = [], body, chunks, trailers = [], want } = request;
  const all = [["host", host], ...(want ? [["x-want", JSON.stringify(want)]] : []), ...headers];
  if (chunks) all.push(["transfer-encoding", "chunked"]);
  else if (body !== undefined && !headers.some(([name]) => name.toLowerCase() === "content-length")) all.push(["content-length", String(body.length)]);
  const chunked =
    chunks &&
    `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${chunked ?? body ?? ""}`;
}

/** The methods of the requests in hand-written bytes, as far as they can be told. */
function methodsOf(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => ("send" in step ? [...step.send.matchAll(/^([A-Z]+) \S+ HTTP\/1\.[01]\r$/gm)].map((match) => match[1] as string) : []));
}
