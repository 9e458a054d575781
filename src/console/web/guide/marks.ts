import { useEffect, useState } from "react";
import type { StepState } from "../../guide/index.ts";
import { readStored, writeStored } from "../live.ts";

/** That a step was done, and by what that was seen. */
export interface Mark {
  /** Unix ms. */
  at: number;
  evidence: string;
}

interface Marks {
  /** Unix seconds: what happened before it does not count; 0 for all that the metrics store still tells. */
  since: number;
  done: Record<number, Mark>;
}

const NONE: Marks = { since: 0, done: {} };

/**
 * The steps that were seen done, kept in the browser under the mesh's own name: a refused call fades from the metrics and
 * a policy goes, but what was done stays done until somebody begins anew.
 */
export function useMarks(key: string): {
  marks: Marks;
  add(number: number, evidence: string): void;
  observe(states: readonly StepState[]): void;
  restart(): void;
} {
  const [marks, setMarks] = useState<Marks>(NONE);
  useEffect(() => setMarks(readStored<Marks>(key) ?? NONE), [key]);
  const change = (next: (now: Marks) => Marks) =>
    setMarks((now) => {
      const then = next(now);
      if (then !== now) writeStored(key, then);
      return then;
    });
  return {
    marks,
    add: (number, evidence) => change((now) => (now.done[number] ? now : withMark(now, number, evidence))),
    observe: (states) =>
      change((now) => states.reduce((result, { number, met, evidence }) => (met && !result.done[number] ? withMark(result, number, evidence) : result), now)),
    restart: () => change(() => ({ since: Math.floor(Date.now() / 1000), done: {} })),
  };
}

function withMark(marks: Marks, number: number, evidence: string): Marks {
  return { ...marks, done: { ...marks.done, [number]: { at: Date.now(), evidence } } };
}
