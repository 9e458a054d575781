import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { nanos, writeAttributes } from "../export/index.ts";
import type { ActiveSpan } from "./span.ts";

export type Attributes = readonly (readonly [key: string, value: string])[];

const KINDS = { server: 2, client: 3 };
const ERROR = 2;
/** W3C flags of a span that say where its parent was. */
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

/** An ExportTraceServiceRequest with one resource and one scope. */
export function encodeSpans(spans: readonly ActiveSpan[], resource: Attributes, scope: { readonly name: string; readonly version: string }): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).fork();
  writeAttributes(writer, 1, resource);
  writer.join();
  writer.tag(2, WireType.LengthDelimited).fork();
  writer
    .tag(1, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .string(scope.name)
    .tag(2, WireType.LengthDelimited)
    .string(scope.version)
    .join();
  for (const span of spans) writeSpan(writer, span);
  writer.join().join();
  return writer.finish();
}

function writeSpan(writer: BinaryWriter, span: ActiveSpan): void {
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).bytes(Buffer.from(span.traceId, "hex"));
  writer.tag(2, WireType.LengthDelimited).bytes(Buffer.from(span.spanId, "hex"));
  if (span.traceState !== "") writer.tag(3, WireType.LengthDelimited).string(span.traceState);
  if (span.parentId !== "") writer.tag(4, WireType.LengthDelimited).bytes(Buffer.from(span.parentId, "hex"));
  writer.tag(5, WireType.LengthDelimited).string(span.name);
  writer.tag(6, WireType.Varint).int32(KINDS[span.kind]);
  writer.tag(7, WireType.Bit64).fixed64(nanos(span.startMs));
  writer.tag(8, WireType.Bit64).fixed64(nanos(span.endMs));
  writeAttributes(writer, 9, span.tags);
  if (failed(span)) writer.tag(15, WireType.LengthDelimited).fork().tag(3, WireType.Varint).int32(ERROR).join();
  writer.tag(16, WireType.Bit32).fixed32(HAS_IS_REMOTE | (span.remoteParent ? IS_REMOTE : 0) | (span.sampled ? 1 : 0));
  writer.join();
}

/** OpenTelemetry's rule for HTTP: 5xx is an error, 4xx one for who asked. */
function failed({ tags, kind }: ActiveSpan): boolean {
  const status = Number(tags.find(([name]) => name === "http.status_code")?.[1] ?? 0);
  return status >= (kind === "client" ? 400 : 500);
}
