import { useState } from "react";
import type { GuideAnswer } from "../../api/guide-routes.ts";
import type { RunOutcome, StepState } from "../../guide/index.ts";
import { Snippet } from "../parts/copy.tsx";
import { useSession } from "../session.tsx";
import type { Mark } from "./marks.ts";

interface StepProps {
  guide: string;
  step: GuideAnswer["steps"][number];
  state: StepState | undefined;
  mark: Mark | undefined;
  open: boolean;
  onOpen(): void;
  /** Opens the next step that is to be done; undefined after the last. */
  onNext: (() => void) | undefined;
  onRun(): void;
  onShown(evidence: string): void;
}

/** One step: what it is about, how to do it here or in a terminal, and whether it has been done. */
export function Step({ guide, step, state, mark, open, onOpen, onNext, onRun, onShown }: StepProps) {
  const { session, signIn } = useSession();
  const [outcome, setOutcome] = useState<RunOutcome>();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    onRun();
    setBusy(true);
    setProblem("");
    const answer = await fetch(`/kiali/api/guides/${guide}/steps/${step.number}/run`, {
      method: "POST",
      headers: session.csrf ? { "x-csrf-token": session.csrf } : {},
    }).catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as (RunOutcome & { error?: string }) | undefined;
    setBusy(false);
    if (!answer?.ok || !body) {
      setOutcome(undefined);
      return setProblem(body?.error ?? "The console's server does not answer.");
    }
    setOutcome(body);
    if (body.shown) onShown("it was looked at here");
  };
  const signedIn = session.csrf !== undefined;
  return (
    <li className={mark ? "step step-done" : "step"}>
      <button type="button" className="step-title" aria-expanded={open} onClick={onOpen}>
        <span className="step-mark" role="img" aria-label={mark ? "done" : "to do"}>
          {mark ? "✓" : step.number}
        </span>{" "}
        <span>{step.title}</span>
      </button>
      {open && (
        <div className="step-body">
          <p>{step.text}</p>
          {step.command && (
            <details>
              <summary>In a terminal</summary>
              <Snippet text={step.command} />
            </details>
          )}
          {step.run && (
            <p className="actions">
              {step.needsUser && !signedIn ? (
                <button type="button" className="button button-main" onClick={signIn}>
                  Sign in to run it here
                </button>
              ) : (
                <button type="button" className={mark ? "button" : "button button-main"} disabled={busy} onClick={() => void run()}>
                  {busy ? "Running…" : step.needsUser ? "Run it" : "Show it"}
                </button>
              )}
            </p>
          )}
          {problem && (
            <p className="notice notice-bad" role="alert">
              {problem}
            </p>
          )}
          {outcome && (
            <pre className="step-output" tabIndex={0} aria-label={`What step ${step.number} printed`}>
              {outcome.output || "(it printed nothing)"}
            </pre>
          )}
          <p className="muted" role="status">
            {mark ? (
              <>
                Done at {new Date(mark.at).toLocaleTimeString()}: {mark.evidence}.
              </>
            ) : step.watched ? (
              <>Watched: {state ? state.evidence : "…"}.</>
            ) : outcome && outcome.shown === false ? (
              "It does not show yet what it should: were the earlier steps done?"
            ) : (
              "Marked when it has been shown here and shows what it should."
            )}
          </p>
          {mark && onNext && (
            <p className="actions">
              <button type="button" className="button button-main" onClick={onNext}>
                Next step
              </button>
            </p>
          )}
        </div>
      )}
    </li>
  );
}
