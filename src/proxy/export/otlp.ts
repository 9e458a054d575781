import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * The parts that OTLP messages share, written straight into bytes: going through message objects would cost several times
 * as much for each span (opentelemetry/proto/common/v1/common.proto).
 */

/** `repeated KeyValue field`, all strings. */
export function writeAttributes(writer: BinaryWriter, field: number, attributes: Iterable<readonly [key: string, value: string]>): void {
  for (const [key, value] of attributes) attribute(writer, field, key, value);
}

export function attribute(writer: BinaryWriter, field: number, key: string, value: string): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(key);
  writer.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(value).join();
  writer.join();
}

/** Epoch milliseconds with fractions, as protobuf has them. */
export function timestamp(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  const seconds = Math.floor(ms / 1000);
  // To the microsecond: a double of today's date is no finer.
  return { seconds: BigInt(seconds), nanos: Math.floor((ms - seconds * 1000) * 1000) * 1000 };
}

/** Epoch milliseconds with fractions as nanoseconds. */
export function nanos(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000));
}
