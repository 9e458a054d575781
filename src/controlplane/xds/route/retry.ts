import { STATUS_CODES } from "node:http";
import { packAny, type Init } from "../../../proto/index.ts";
import type { RetryPolicySchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { PreviousPrioritiesConfigSchema } from "../../../proto/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts";
import type { HttpRetry } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import { configured, PREVIOUS_HOSTS } from "../filters.ts";

type RetryPolicy = Init<typeof RetryPolicySchema>;

/** What can be tried again without harm, because the request has not reached an application. */
const SAFE_REASONS = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const DEFAULT_ATTEMPTS = 2;
/** How often another host is looked for before one is tried a second time. */
const HOST_ATTEMPTS = 5;
const STATUS_CODES_REASON = "retriable-status-codes";
/** After how many attempts priorities are weighed anew. */
const PRIORITY_UPDATE = 2;

/** How failed requests are repeated; undefined means never. With a hash policy the same host may be meant again. */
export function retryPolicy(retries: HttpRetry | undefined, hashed: boolean): RetryPolicy | undefined {
  const attempts = retries ? (retries.attempts ?? 0) : DEFAULT_ATTEMPTS;
  if (attempts <= 0) return undefined;
  const avoidsHosts = retries?.retryIgnorePreviousHosts ?? !hashed;
  const perTryTimeout = parseDuration(retries?.perTryTimeout);
  const baseInterval = parseDuration(retries?.backoff);
  return {
    numRetries: attempts,
    ...reasons(retries?.retryOn),
    hostSelectionRetryMaxAttempts: BigInt(HOST_ATTEMPTS),
    retryHostPredicate: avoidsHosts ? [configured(PREVIOUS_HOSTS)] : [],
    ...(perTryTimeout && { perTryTimeout }),
    ...(retries?.retryRemoteLocalities && {
      retryPriority: {
        name: "envoy.retry_priorities.previous_priorities",
        configType: { case: "typedConfig" as const, value: packAny(PreviousPrioritiesConfigSchema, { updateFrequency: PRIORITY_UPDATE }) },
      },
    }),
    ...(baseInterval && { retryBackOff: { baseInterval } }),
  };
}

/** Status codes may stand among the reasons, where Envoy wants a list of their own. */
function reasons(retryOn: string | undefined): { retryOn: string; retriableStatusCodes?: number[] } {
  if (!retryOn) return { retryOn: SAFE_REASONS };
  const parts = retryOn
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const isCode = (part: string): boolean => /^\d+$/.test(part) && STATUS_CODES[part] !== undefined;
  const codes = parts.filter(isCode).map(Number);
  const names = parts.filter((part) => !isCode(part)).join(",");
  return { retryOn: codes.length > 0 && !names.includes(STATUS_CODES_REASON) ? `${names},${STATUS_CODES_REASON}` : names, retriableStatusCodes: codes };
}
