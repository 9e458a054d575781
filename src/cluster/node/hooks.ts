import { ChainmailError } from "../../base/index.ts";
import type { ProbeHandler } from "../../resources/index.ts";
import { runProbe, type HandlerTarget } from "./probes/handlers.ts";

/** Hooks have no time limit of their own: the pod's grace period or its end cuts them off. The largest timer there is. */
const NO_LIMIT_MS = 2 ** 31 - 1;

/**
 * Runs a lifecycle hook to its end. Throws HOOK_FAILED with the reason; returns early, without a fault, when `signal`
 * aborts, since then nobody waits for it any more.
 */
export async function runHook(handler: ProbeHandler, target: HandlerTarget, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = new Promise<"aborted">((resolve) => signal.addEventListener("abort", () => resolve("aborted"), { once: true }));
  const outcome = await Promise.race([perform(handler, target), aborted]);
  if (outcome === "aborted" || outcome.ok) return;
  throw new ChainmailError("HOOK_FAILED", outcome.message || "the command failed without output");
}

function perform(handler: ProbeHandler, target: HandlerTarget): Promise<{ ok: boolean; message: string }> {
  const { sleep } = handler;
  if (sleep) return new Promise((resolve) => void target.clock.after(sleep.seconds * 1000, () => resolve({ ok: true, message: "" })));
  return runProbe(handler, target, NO_LIMIT_MS);
}
