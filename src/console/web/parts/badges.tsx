import type { Health } from "../model.ts";
import { Lock, type LockKind } from "../panels/lock.tsx";

export const MODE_LOCK: Record<string, LockKind> = { STRICT: "closed", PERMISSIVE: "partial", DISABLE: "open", NONE: "open" };

/** A mutual TLS mode with its padlock. */
export function Mode({ mode }: { mode: string }) {
  return (
    <span className="badge-text">
      <Lock kind={MODE_LOCK[mode] ?? "partial"} label="" /> {mode === "NONE" ? "outside the mesh" : mode}
    </span>
  );
}

const STATUS_TEXT: Record<string, string> = {
  MTLS_ENABLED: "Strict",
  MTLS_PARTIALLY_ENABLED: "Permissive",
  MTLS_DISABLED: "Disabled",
  MTLS_NOT_ENABLED: "Not set",
  UNSET: "Not set: plaintext accepted",
  UNSET_INHERITED_STRICT: "Strict, from the mesh",
  UNSET_INHERITED_PERMISSIVE: "Permissive, from the mesh",
};

export function TlsStatus({ status }: { status: string }) {
  const kind: LockKind = status === "MTLS_ENABLED" || status === "UNSET_INHERITED_STRICT" ? "closed" : status === "MTLS_DISABLED" ? "open" : "partial";
  return (
    <span className="badge-text">
      <Lock kind={kind} label="" /> {STATUS_TEXT[status] ?? status}
    </span>
  );
}

const HEALTH_TEXT: Record<Health, string> = { healthy: "Healthy", degraded: "Degraded", failing: "Failing", idle: "No traffic" };
const FROM_KIALI: Record<string, Health> = { Healthy: "healthy", Degraded: "degraded", Failure: "failing", NA: "idle", "Not Ready": "failing" };

export function HealthBadge({ health }: { health: Health | string | undefined }) {
  const word: Health = health === undefined ? "idle" : health in HEALTH_TEXT ? (health as Health) : (FROM_KIALI[health] ?? "idle");
  return <span className={`health health-${word}`}>{HEALTH_TEXT[word]}</span>;
}

/** Good, bad, or to be looked at. */
export function State({ good, children, warn = false }: { good: boolean; warn?: boolean; children: string }) {
  return <span className={`health health-${good ? "healthy" : warn ? "degraded" : "failing"}`}>{children}</span>;
}

export function Labels({ labels }: { labels: Record<string, string> | undefined }) {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return <span className="muted">none</span>;
  return (
    <span className="labels">
      {entries.map(([name, value]) => (
        <span key={name} className="label" title={`${name}=${value}`}>
          {name}=<strong>{value}</strong>
        </span>
      ))}
    </span>
  );
}
