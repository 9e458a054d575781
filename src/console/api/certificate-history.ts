import type { ApiContext, Route } from "./router.ts";

/** How one proxy's certificate was renewed, as far back as the metrics store remembers. Times in Unix ms. */
export interface CertificateHistory {
  namespace: string;
  pod: string;
  /** When each certificate that was seen first was there, and when it ends; the newest first. */
  certificates: { since: number; until: number }[];
}

/** Half a life of Istio's certificates and more: the last renewal lies within it. */
const WINDOW_SECONDS = 86_400;
const STEP_SECONDS = 300;
/** Two ends that differ by less are one: where scrapes were missed, a value up to five minutes old stands for a later moment. */
const SAME_MS = 600_000;
/** A renewal comes every half day. */
const EVERY_MS = 60_000;

export const CERTIFICATE_ROUTES: Route[] = [{ pattern: "/mesh/certificates", liveMs: EVERY_MS, answer: (_, context) => certificateHistory(context) }];

/** The agents tell the seconds that are left; a certificate's end is that much later than the moment of the sample. */
async function certificateHistory({ queries, clock }: ApiContext): Promise<CertificateHistory[]> {
  const end = Math.floor(clock.now() / 1000);
  const series = await queries.range("min(istio_agent_cert_expiry_seconds) by (namespace,pod)", end - WINDOW_SECONDS, end, STEP_SECONDS);
  return series
    .filter(({ labels }) => labels.pod !== undefined)
    .map(({ labels, points }) => ({ namespace: labels.namespace ?? "", pod: labels.pod ?? "", certificates: certificatesOf(points) }))
    .sort((a, b) => (`${a.namespace}/${a.pod}` < `${b.namespace}/${b.pod}` ? -1 : 1));
}

/** Samples of seconds left become certificates, the newest first. */
export function certificatesOf(points: readonly [time: number, left: number][]): { since: number; until: number }[] {
  const found: { since: number; until: number }[] = [];
  for (const [time, left] of points) {
    const until = (time + left) * 1000;
    const last = found[0];
    if (!last || until - last.until > SAME_MS) found.unshift({ since: time * 1000, until });
    // The earliest is the nearest to the truth: an old value only makes it later.
    else last.until = Math.min(last.until, until);
  }
  return found;
}
