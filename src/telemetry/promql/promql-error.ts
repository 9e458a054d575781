import { ChainmailError } from "../../base/index.ts";

/** What went wrong, as Prometheus' API tells it apart: the query itself, what it met, or how long it took. */
export type PromqlErrorCode = "PROMQL_BAD_DATA" | "PROMQL_EXECUTION" | "PROMQL_TIMEOUT";

/** A query that is not PromQL, or PromQL that cannot be evaluated on what there is. */
export class PromqlError extends ChainmailError {
  constructor(message: string, code: PromqlErrorCode = "PROMQL_BAD_DATA") {
    super(code, message);
  }
}

/** A mistake that shows only in what the query is applied to. */
export const executionError = (message: string): PromqlError => new PromqlError(message, "PROMQL_EXECUTION");
