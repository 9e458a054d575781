import type { Check } from "../filters/ext-authz/check.ts";
import type { RbacCounters } from "../filters/rbac/counters.ts";
import { deniedDetails, recordShadow, type RbacRules } from "../filters/rbac/engine.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";

export interface NetworkRbac {
  readonly rules: RbacRules | undefined;
  readonly shadow: RbacRules | undefined;
  readonly prefix: string;
  readonly count: RbacCounters;
}

export interface NetworkExtAuthz {
  readonly check: Check;
  readonly enabled: (info: StreamInfo) => boolean;
  readonly failureModeAllow: boolean;
  readonly includePeerCertificate: boolean;
}

/** The policies of a TCP chain, in the order of their filters. */
export type TcpPolicy = { readonly kind: "rbac"; readonly rbac: NetworkRbac } | { readonly kind: "ext_authz"; readonly authz: NetworkExtAuthz };

export interface Refusal {
  readonly details: string;
  readonly external: boolean;
}

/** The namespace of shadow results on TCP. */
const METADATA = "envoy.filters.network.rbac";

/**
 * Whether a connection's bytes may pass: asked at the first of them, in either direction, and answered once. Another
 * service may have to be asked, and until it answers nothing passes.
 */
export class TcpGate {
  #state: "shut" | "asking" | "open" = "shut";
  #next = 0;
  #cancel: (() => void) | undefined;

  constructor(
    private policies: readonly TcpPolicy[],
    private readonly info: StreamInfo,
    private readonly onOpen: () => void,
    private readonly onRefused: (refusal: Refusal) => void,
  ) {}

  /** True when bytes may pass now. Otherwise one of the callbacks follows, or has been called already. */
  pass(): boolean {
    if (this.#state === "shut") this.#judge();
    return this.#state === "open";
  }

  /** The policies have changed: a connection that has not been judged yet is judged by the new ones. */
  replace(policies: readonly TcpPolicy[]): void {
    if (this.#state === "shut") this.policies = policies;
  }

  stop(): void {
    this.#cancel?.();
  }

  #judge(): void {
    const { info } = this;
    while (this.#next < this.policies.length) {
      const policy = this.policies[this.#next++];
      if (policy?.kind === "rbac") {
        const { rules, shadow, prefix, count } = policy.rbac;
        if (shadow) count.shadow(recordShadow(shadow, info, METADATA, prefix));
        const verdict = rules?.judge(info);
        if (verdict) count.enforced(verdict.allowed);
        if (verdict && !verdict.allowed) {
          this.#refuse({ details: deniedDetails(verdict), external: false });
          return;
        }
      } else if (policy && policy.authz.enabled(info)) {
        this.#ask(policy.authz);
        return;
      }
    }
    this.#state = "open";
  }

  #ask({ check, failureModeAllow, includePeerCertificate }: NetworkExtAuthz): void {
    this.#state = "asking";
    this.#cancel = check({ info: this.info, body: undefined, contextExtensions: {}, metadataNamespaces: [], includePeerCertificate }, (decision) => {
      this.#cancel = undefined;
      if (decision.kind === "deny" || (decision.kind === "error" && !failureModeAllow)) {
        this.#refuse({ details: decision.kind === "deny" ? "ext_authz_denied" : "ext_authz_error", external: true });
        return;
      }
      this.#judge();
      if (this.#state === "open") this.onOpen();
    });
  }

  #refuse(refusal: Refusal): void {
    this.#state = "asking";
    this.onRefused(refusal);
  }
}

/** Whether a connection that stands would be refused by rules that can be judged at once. */
export function refusedNow(policies: readonly TcpPolicy[], info: StreamInfo): boolean {
  return policies.some((policy) => policy.kind === "rbac" && policy.rbac.rules?.judge(info).allowed === false);
}
