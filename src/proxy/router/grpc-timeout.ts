/** `grpc-timeout` (gRPC over HTTP/2): up to eight digits and a unit. */
export function grpcTimeoutMs(value: string | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value ?? "");
  if (!match) return undefined;
  const unit = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }[match[2] as "H" | "M" | "S" | "m" | "u" | "n"];
  return Math.max(1, Number(match[1]) * unit);
}

/** The same, written: the finest unit from milliseconds on that eight digits hold. */
export function grpcTimeout(ms: number): string {
  const most = 99_999_999;
  if (ms <= most) return `${Math.ceil(ms)}m`;
  return ms <= most * 1000 ? `${Math.ceil(ms / 1000)}S` : `${Math.min(most, Math.ceil(ms / 60_000))}M`;
}
