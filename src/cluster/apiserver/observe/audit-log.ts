import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { errorText, type Logger } from "../../../base/index.ts";
import type { ResourceRequest } from "../http/route.ts";
import type { Observed, Observer } from "./types.ts";

/** What waits to be written while the disk is behind; beyond that events are left out, and counted in the log. */
const MAX_WAITING_BYTES = 8 << 20;

export interface AuditLog {
  observe: Observer;
  close(): Promise<void>;
}

/**
 * Writes audit.k8s.io/v1 events to a file (0600), one JSON a line, at the level Metadata: who did what to which object
 * and what came of it, never a body. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
 */
export function openAuditLog(path: string, log: Logger): AuditLog {
  const file = createWriteStream(path, { flags: "a", mode: 0o600 });
  let lost = 0;
  file.on("error", (error) => log.error("the audit log cannot be written", { path, error: errorText(error) }));
  return {
    observe(request) {
      if (file.destroyed || file.writableLength > MAX_WAITING_BYTES) {
        if (lost++ % 1000 === 0) log.warn("audit events are left out: the file takes none", { path, lost });
        return;
      }
      file.write(`${JSON.stringify(auditEvent(request))}\n`);
    },
    close: () => new Promise((resolve) => (file.destroyed ? resolve() : file.end(() => resolve()))),
  };
}

function auditEvent({ incoming, user, target, code, refusal, streaming, startedAt, seconds }: Observed): object {
  const query = incoming.query.toString();
  const time = (at: number) => `${new Date(at).toISOString().slice(0, -1)}000Z`;
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "Metadata",
    auditID: randomUUID(),
    stage: streaming ? "ResponseStarted" : "ResponseComplete",
    requestURI: incoming.path + (query ? `?${query}` : ""),
    verb: target?.verb ?? incoming.method.toLowerCase(),
    user: user ? { username: user.username, ...(user.uid ? { uid: user.uid } : {}), groups: user.groups, ...(user.extra ? { extra: user.extra } : {}) } : {},
    ...(incoming.header("user-agent") ? { userAgent: incoming.header("user-agent") } : {}),
    ...(target ? { objectRef: objectRef(target) } : {}),
    responseStatus: { metadata: {}, ...(refusal === undefined ? {} : { status: "Failure", message: refusal }), code },
    requestReceivedTimestamp: time(startedAt),
    stageTimestamp: time(startedAt + seconds * 1000),
  };
}

function objectRef({ group, version, resource, namespace, name, subresource }: ResourceRequest): object {
  return {
    resource,
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
    ...(group ? { apiGroup: group } : {}),
    apiVersion: version,
    ...(subresource ? { subresource } : {}),
  };
}
