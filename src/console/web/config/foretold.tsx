import type { JudgedRequest } from "../../api/authorization-preview.ts";
import { Lock } from "../panels/lock.tsx";
import type { Preview } from "./change.tsx";

/** Whom a policy would refuse, by what was seen; said before it is applied. */
export function Foretold({ preview }: { preview: Preview }) {
  const minutes = Math.round(preview.windowSeconds / 60);
  return (
    <>
      {"affected" in preview ? (
        <>
          {preview.refused.length > 0 && (
            <Rows
              kind="bad"
              title={`${people(preview.refused.length)} of the last ${minutes} minutes would be refused`}
              rows={preview.refused.map((client) => ({
                key: `${client.from}${client.to.namespace}${client.to.workload}`,
                text: (
                  <>
                    <strong>{client.from ?? "a client that nothing names"}</strong> → {client.to.workload}.{client.to.namespace}: {client.requests} in plaintext
                  </>
                ),
              }))}
            />
          )}
          {preview.refused.length === 0 && (
            <p className="notice notice-good">
              {preview.affected.length === 0
                ? "No workload's mode would change."
                : `${preview.affected.length === 1 ? "1 workload" : `${preview.affected.length} workloads`} would change; no client of the last ${minutes} minutes would be refused.`}
            </p>
          )}
        </>
      ) : (
        <>
          <p className="muted">
            It is for{" "}
            {preview.chooses.length === 0
              ? "no workload that runs now"
              : preview.chooses.map(({ workload, namespace }) => `${workload}.${namespace}`).join(", ")}
            ; {preview.seen} requests of the last {minutes} minutes were looked at.
          </p>
          {preview.refused.length > 0 && <Rows kind="bad" title="Would be refused" rows={preview.refused.map(row)} />}
          {preview.admitted.length > 0 && <Rows kind="warn" title="Would be let in, and is refused now" rows={preview.admitted.map(row)} />}
          {preview.unknown.length > 0 && <Rows kind="warn" title="Hangs on what logs do not tell, such as a token" rows={preview.unknown.map(row)} />}
          {preview.refused.length + preview.admitted.length + preview.unknown.length === 0 && (
            <p className="notice notice-good">Nothing that was seen would be decided otherwise.</p>
          )}
        </>
      )}
      {preview.gaps.map((gap) => (
        <p key={gap} className="notice notice-warn">
          Not everything could be looked at: {gap}
        </p>
      ))}
    </>
  );
}

function row(request: JudgedRequest) {
  return {
    key: `${request.from}${request.to.namespace}${request.to.workload}${request.what}`,
    text: (
      <>
        <strong>{request.from}</strong> → {request.to.workload}.{request.to.namespace}: {request.what}, {request.requests}×
      </>
    ),
  };
}

function Rows({ kind, title, rows }: { kind: "bad" | "warn"; title: string; rows: { key: string; text: React.ReactNode }[] }) {
  return (
    <div className={`notice notice-${kind}`}>
      <h3>
        <Lock kind={kind === "bad" ? "refused" : "open"} label="" /> {title}
      </h3>
      <ul>
        {rows.map(({ key, text }) => (
          <li key={key}>{text}</li>
        ))}
      </ul>
    </div>
  );
}

function people(count: number): string {
  return count === 1 ? "1 client" : `${count} clients`;
}
