import { ChainmailError } from "../../base/index.ts";

/** A pod that cannot be injected as its annotations ask: the API server refuses it with this text. */
export class InjectionError extends ChainmailError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("INJECTION_FAILED", message, options);
  }
}
