/**
 * protobuf reads the request bodies that kubectl and client-go send as application/vnd.kubernetes.protobuf.
 * It is driven by a table of field numbers and gives the JSON object that the same request would have been in JSON.
 * Answers are always JSON, which every client takes.
 */
import { badRequest } from "../http/status.ts";
import type { JsonObject } from "../json.ts";
import { decodeMessage, isKnownMessage } from "./decode.ts";
import { MalformedProtobuf, readFields, utf8 } from "./reader.ts";

/** What every such body begins with; then comes a runtime.Unknown. */
const MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

/** Messages whose kind means another in another version. */
const VERSIONED: Record<string, string> = {
  "autoscaling/v1 HorizontalPodAutoscaler": "HorizontalPodAutoscalerV1",
  "events.k8s.io/v1 Event": "EventsV1Event",
};

/** The object in a body. Throws 400 for bytes that are none, and for kinds that are not in the table. */
export function decodeProtobuf(bytes: Uint8Array): JsonObject {
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw badRequest("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  try {
    const { apiVersion, kind, raw } = unknown(bytes.subarray(MAGIC.length));
    const message = VERSIONED[`${apiVersion} ${kind}`] ?? kind;
    if (!isKnownMessage(message)) throw badRequest(`${kind} in version ${JSON.stringify(apiVersion)} cannot be read as protobuf: send it as JSON`);
    return { apiVersion, kind, ...decodeMessage(raw, message) };
  } catch (error) {
    if (error instanceof MalformedProtobuf) throw badRequest(`proto: ${error.message}`);
    throw error;
  }
}

/** runtime.Unknown{typeMeta{apiVersion, kind}, raw} */
function unknown(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array } {
  let apiVersion = "";
  let kind = "";
  let raw = new Uint8Array();
  for (const { number, value } of readFields(bytes)) {
    if (typeof value === "bigint") continue;
    if (number === 1) {
      for (const part of readFields(value)) {
        if (typeof part.value === "bigint") continue;
        if (part.number === 1) apiVersion = utf8(part.value);
        if (part.number === 2) kind = utf8(part.value);
      }
    } else if (number === 2) raw = new Uint8Array(value);
  }
  return { apiVersion, kind, raw };
}
