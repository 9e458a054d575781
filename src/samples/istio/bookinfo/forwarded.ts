/** What each service of Bookinfo takes along from a request to the calls it makes: traces hang together by it, and people. */
const FORWARDED = [
  "x-request-id",
  "x-ot-span-context",
  "x-datadog-trace-id",
  "x-datadog-parent-id",
  "x-datadog-sampling-priority",
  "traceparent",
  "tracestate",
  "x-cloud-trace-context",
  "grpc-trace-bin",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "sw8",
  "end-user",
  "user-agent",
  "cookie",
  "authorization",
  "jwt",
];

/** Headers for a call that is made on behalf of this request. */
export function forwarded(request: Request): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  return headers;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a service of Bookinfo is: `http://ratings:9080`, or as `RATINGS_HOSTNAME`, `_SERVICE_PORT` and `SERVICES_DOMAIN` say. */
export function addressOf(service: string, env: Environment): string {
  const name = service.toUpperCase();
  const domain = env.SERVICES_DOMAIN ? `.${env.SERVICES_DOMAIN}` : "";
  return `http://${env[`${name}_HOSTNAME`] ?? service}${domain}:${env[`${name}_SERVICE_PORT`] ?? "9080"}`;
}

/** The number at the end of a path such as `/reviews/0`; undefined where there is none. */
export function productOf(url: URL): number | undefined {
  const last = url.pathname.split("/").pop() ?? "";
  return /^\d+$/.test(last) ? Number(last) : undefined;
}
