import { HttpConnection } from "../http/connection-manager.ts";
import type { Channel } from "../net/channel.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import type { Services } from "../services.ts";
import { TcpSession } from "../tcp/tcp-session.ts";
import { StreamInfo } from "../telemetry/stream-info.ts";
import { deniedDetails } from "../filters/rbac/engine.ts";
import type { AccessLogger } from "../telemetry/access-log.ts";
import type { Chain } from "./chain.ts";
import type { Admission } from "./connection-limit.ts";

/** A request that was under way when its connection lost its right to exist may take so long to end. */
const CUT_OFF_MS = 5000;

export interface LiveConnectionOwner {
  readonly services: Services;
  readonly accessLog: AccessLogger | undefined;
  onConnectionGone(connection: LiveConnection): void;
}

/** An accepted connection with the chain that serves it, which a new configuration may exchange or end. */
export class LiveConnection {
  readonly #handler: HttpConnection | TcpSession | undefined;
  readonly #startMono: number;
  readonly #startTime: number;
  #gone = false;
  /** For who wants to know how long it lasted. */
  onGone: (() => void) | undefined;
  #cancelCutOff: (() => void) | undefined;
  readonly #limits: Admission[] = [];

  constructor(
    readonly info: ConnectionInfo,
    public chain: Chain,
    private readonly channel: Channel,
    first: Buffer | undefined,
    private readonly owner: LiveConnectionOwner,
  ) {
    const { services } = owner;
    this.#startMono = services.monotonic();
    this.#startTime = services.wall(this.#startMono);
    const { terminal } = chain;
    if (!this.#enter(chain)) return;
    for (const set of chain.states) set((info.namedState ??= new Map()), new StreamInfo(info, this.#startTime, this.#startMono));
    if (terminal.kind === "http") {
      const denied = this.#deniedByNetworkRules(terminal, true);
      if (denied !== undefined) {
        services.refused.count(info.remote.address, info.local.port, "rbac_access_denied");
        this.#end(denied);
        channel.close();
        return;
      }
      const http = new HttpConnection(channel, info, terminal.config, { onConnectionClosed: () => this.#end("") });
      this.#handler = http;
      if (first && first.length > 0) channel.handler.onData(first);
    } else {
      const tcp = new TcpSession(channel, info, terminal.chain, services, () => this.#end(""));
      this.#handler = tcp;
      tcp.start(first);
    }
  }

  /** Takes a place under each limit of the chain; without one the connection ends, after the limit's delay. */
  #enter({ limits, terminal }: Chain): boolean {
    for (const limit of limits) {
      if (limit.enter()) {
        this.#limits.push(limit);
        continue;
      }
      const { clock } = this.owner.services;
      if (limit.delayMs > 0) {
        this.channel.pause();
        clock.after(limit.delayMs, () => this.channel.close());
      } else this.channel.close();
      if (terminal.kind === "tcp" && terminal.chain.tcp.accessLog) {
        const info = new StreamInfo(this.info, this.#startTime, this.#startMono);
        if (limit.flag) info.addFlag(limit.flag);
        terminal.chain.tcp.accessLog(info);
      }
      this.#end("");
      return false;
    }
    return true;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /**
   * The chain that now matches this connection, if any. What it refuses ends: at once where nothing is under way, else
   * when the request ends, or is cut off; what it lets live is judged by it from now on.
   */
  update(chain: Chain | undefined): void {
    if (chain === this.chain || this.#gone) return;
    const { services } = this.owner;
    if (!chain || !this.#survives(chain)) {
      services.refused.count(this.info.remote.address, this.info.local.port, "policy_changed");
      this.#cutOff();
      return;
    }
    const transportChanged = chain.transportFingerprint !== this.chain.transportFingerprint;
    this.chain = chain;
    const { terminal } = chain;
    if (this.#handler instanceof HttpConnection && terminal.kind === "http") {
      if (this.#deniedByNetworkRules(terminal, false) !== undefined) this.#cutOff();
      else {
        this.#handler.swap(terminal.config);
        // Another TLS configuration: a new connection shall be made under it.
        if (transportChanged) this.#handler.drain();
      }
    } else if (this.#handler instanceof TcpSession && terminal.kind === "tcp") {
      if (!this.#handler.swap(terminal.chain)) {
        services.refused.count(this.info.remote.address, this.info.local.port, "policy_changed");
        this.#handler.terminate("policy_changed");
      }
    }
  }

  /** HTTP: ends when idle. TCP has no such moment and goes on. */
  drain(): void {
    if (this.#handler instanceof HttpConnection) this.#handler.drain();
  }

  /** HTTP: ends after the next request, which is told so. */
  goAfterRequest(): void {
    if (!(this.#handler instanceof HttpConnection)) return;
    if (this.#handler.protocol === "HTTP/2") this.#handler.drain();
    else this.#handler.closeAfterResponse();
  }

  /** Ends at once. */
  close(): void {
    if (this.#handler instanceof HttpConnection) this.#handler.close();
    else this.#handler?.terminate("");
  }

  tick(now: number): void {
    if (this.#handler instanceof TcpSession) this.#handler.tick(now);
    else this.#handler?.tick(now);
  }

  #survives(chain: Chain): boolean {
    const before = this.chain.tls;
    const after = chain.tls;
    if ((before === undefined) !== (after === undefined) || chain.terminal.kind !== this.chain.terminal.kind) return false;
    if (!after || chain.transportFingerprint === this.chain.transportFingerprint) return true;
    const peer = this.info.tls?.peer;
    if (after.requireClientCertificate && !peer) return false;
    return !peer || after.context.accepts({ ipSans: [], ...peer });
  }

  #cutOff(): void {
    if (!(this.#handler instanceof HttpConnection)) {
      this.#handler?.terminate("policy_changed");
      return;
    }
    const http = this.#handler;
    if (http.idle || http.tunnelling) http.close();
    else {
      http.drain();
      this.#cancelCutOff = this.owner.services.clock.after(CUT_OFF_MS, () => http.close());
    }
  }

  #deniedByNetworkRules(terminal: Extract<Chain["terminal"], { kind: "http" }>, count: boolean): string | undefined {
    if (terminal.policies.length === 0) return undefined;
    const info = new StreamInfo(this.info, this.#startTime, this.#startMono);
    for (const policy of terminal.policies) {
      if (policy.kind !== "rbac") continue;
      const verdict = policy.rbac.rules?.judge(info);
      if (verdict && count) policy.rbac.count.enforced(verdict.allowed);
      if (verdict && !verdict.allowed) return deniedDetails(verdict);
    }
    return undefined;
  }

  #end(terminationDetails: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#cancelCutOff?.();
    for (const limit of this.#limits) limit.leave();
    const { services, accessLog } = this.owner;
    if (accessLog) {
      const info = new StreamInfo(this.info, this.#startTime, this.#startMono);
      const http = this.#handler instanceof HttpConnection ? this.#handler : undefined;
      if (http?.protocolBroken) info.addFlag("DPE");
      else if (http) info.protocol = http.protocol;
      if (this.#handler instanceof TcpSession) {
        // A TCP connection is its own exchange: the listener's log tells where it went too.
        const { upstreamHost, upstreamCluster, upstreamLocal, upstreamFailure, attempts, flags } = this.#handler.info;
        Object.assign(info, { upstreamHost, upstreamCluster, upstreamLocal, upstreamFailure, attempts, flags });
      }
      info.bytesReceived = this.channel.bytesRead;
      info.bytesSent = this.channel.bytesWritten;
      info.terminationDetails = terminationDetails;
      info.durationMs = services.monotonic() - this.#startMono;
      accessLog(info);
    }
    this.owner.onConnectionGone(this);
  }
}
