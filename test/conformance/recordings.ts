/** What kubectl 1.32 asked of a real kube-apiserver 1.34 and was answered, in the order in which it was recorded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Exchange {
  method: string;
  path: string;
  /** Only what decides the answer: accept, content-type, upgrade. */
  headers: Record<string, string>;
  sent?: string;
  /** A body in protobuf. */
  sentBase64?: string;
  status: number;
  contentType: string;
  /** Absent where the answer was in protobuf. Long ones were cut when they were recorded. */
  body?: string;
}

export interface Recording {
  name: string;
  command: string;
  exchanges: Exchange[];
}

export function recordings(): Recording[] {
  const packed = readFileSync(join(import.meta.dir, "../golden/kubectl/exchanges.json.gz"));
  return JSON.parse(Buffer.from(Bun.gunzipSync(new Uint8Array(packed))).toString("utf8")) as Recording[];
}

/** A recorded body; undefined where it was cut, is empty or is not JSON. */
export function bodyOf({ body }: Exchange): Record<string, unknown> | undefined {
  if (!body?.startsWith("{")) return undefined;
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
