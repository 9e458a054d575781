import type { RecordedSeries } from "../../golden/promql/world.ts";

/** The bits of the NaN that Prometheus takes for "the target no longer has this series". */
const STALE_NAN = 0x7ff0_0000_0000_0002n;
/** Some hundred kilobytes a request. */
const SERIES_PER_REQUEST = 50;

/** Puts samples with times of their own into a Prometheus that was started with `--web.enable-remote-write-receiver`. */
export async function remoteWrite(url: string, series: readonly RecordedSeries[]): Promise<void> {
  for (let at = 0; at < series.length; at += SERIES_PER_REQUEST) {
    const body = snappyLiteral(concat(series.slice(at, at + SERIES_PER_REQUEST).map((one) => field(1, timeSeries(one)))));
    const headers = { "content-encoding": "snappy", "content-type": "application/x-protobuf", "x-prometheus-remote-write-version": "0.1.0" };
    const answer = await fetch(`${url}/api/v1/write`, { method: "POST", headers, body: Buffer.from(body) });
    if (!answer.ok) throw new Error(`remote write: ${answer.status} ${await answer.text()}`);
  }
}

/** https://github.com/prometheus/prometheus/blob/v2.42.0/prompb/types.proto */
function timeSeries({ labels, samples }: RecordedSeries): Uint8Array {
  const text = new TextEncoder();
  const names = Object.keys(labels)
    .filter((name) => labels[name] !== "")
    .sort();
  return concat([
    ...names.map((name) => field(1, concat([field(1, text.encode(name)), field(2, text.encode(labels[name]!))]))),
    ...samples.map(({ time, value }) => {
      const double = new DataView(new ArrayBuffer(8));
      if (value === undefined) double.setBigUint64(0, STALE_NAN, true);
      else double.setFloat64(0, value, true);
      return field(2, concat([new Uint8Array([0x09]), new Uint8Array(double.buffer), new Uint8Array([0x10]), varint(BigInt(time))]));
    }),
  ]);
}

function field(number: number, content: Uint8Array): Uint8Array {
  return concat([varint(BigInt((number << 3) | 2)), varint(BigInt(content.length)), content]);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return new Uint8Array([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

/** Snappy's block format without compressing anything: literals of 64 KB. https://github.com/google/snappy/blob/main/format_description.txt */
function snappyLiteral(data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [varint(BigInt(data.length))];
  for (let at = 0; at < data.length; at += 65_536) {
    const piece = data.subarray(at, at + 65_536);
    parts.push(new Uint8Array([61 << 2, (piece.length - 1) & 255, (piece.length - 1) >> 8]), piece);
  }
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Bun.concatArrayBuffers(parts as Uint8Array<ArrayBuffer>[], Infinity, true);
}
