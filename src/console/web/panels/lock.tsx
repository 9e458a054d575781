import type { MeshState } from "../model.ts";

export type LockKind = "closed" | "open" | "partial" | "refused";

/** A padlock that says in words what it shows; without a label the words stand beside it. */
export function Lock({ kind, label }: { kind: LockKind; label: string }) {
  return (
    <svg
      className={`lock lock-${kind}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    >
      {label && <title>{label}</title>}
      {kind === "refused" ? (
        <path d="M4 4l8 8M12 4l-8 8" fill="none" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" />
      ) : (
        <>
          <path d={kind === "open" ? "M9 7V4.5a2.5 2.5 0 0 1 5 0V6" : "M5.5 7V4.5a2.5 2.5 0 0 1 5 0V7"} fill="none" stroke="currentColor" strokeWidth="1.6" />
          <rect x="3" y="7" width="10" height="7" rx="1.2" fill={kind === "partial" ? "none" : "currentColor"} stroke="currentColor" strokeWidth="1.4" />
        </>
      )}
    </svg>
  );
}

/** What the masthead says about the whole mesh, true to the policy in force: a full lock only where plaintext is refused. */
export function meshLock(mesh: MeshState | undefined): { kind: LockKind; text: string } {
  switch (mesh?.tls.status) {
    case "MTLS_ENABLED":
      return { kind: "closed", text: "Mesh-wide mTLS is enabled" };
    case "MTLS_DISABLED":
      return { kind: "open", text: "Mesh-wide mTLS is disabled" };
    case "MTLS_PARTIALLY_ENABLED":
      return { kind: "partial", text: "Mesh-wide mTLS is permissive: plaintext is accepted too" };
    case "MTLS_NOT_ENABLED":
      return { kind: "partial", text: mesh.tls.autoMtls ? "Automatic mTLS: plaintext is accepted too" : "Mesh-wide mTLS is not enabled" };
    default:
      return { kind: "partial", text: "Reading the mesh's policy…" };
  }
}
