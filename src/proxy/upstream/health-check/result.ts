export type ProbeResult =
  | { readonly healthy: true; readonly degraded: boolean }
  /** `network`: there was no answer, or one that may be another soon. */
  | { readonly healthy: false; readonly network: boolean };

export const UNREACHABLE: ProbeResult = { healthy: false, network: true };
