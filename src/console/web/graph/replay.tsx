import { useEffect, useRef, useState } from "react";
import type { Watched } from "../live.ts";
import type { GraphAnswer } from "../model.ts";
import { Select } from "../parts/controls.tsx";

/** What the store keeps: half a day. */
const SPAN_SECONDS = 12 * 3_600;
/** One picture a second: as many as the eye follows and the store gladly answers. */
const FRAME_MS = 1_000;
const SPEEDS = { "10": "10 s a second", "60": "1 min a second", "600": "10 min a second" };

/** The bar that moves through the last hours. `at` in Unix seconds. */
export function ReplayBar({ at, onMove, onEnd }: { at: number; onMove(at: number): void; onEnd(): void }) {
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState("60");
  const now = Math.floor(Date.now() / 1000);
  const current = useRef(at);
  current.current = at;
  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => {
      const next = current.current + Number(speed);
      if (next >= Date.now() / 1000) setPlaying(false);
      else onMove(next);
    }, FRAME_MS);
    return () => clearInterval(timer);
  }, [playing, speed]);
  const time = new Date(at * 1000);
  return (
    <div className="replay" role="group" aria-label="Replay">
      <button type="button" className="button button-main" onClick={() => setPlaying(!playing)}>
        {playing ? "Pause" : "Play"}
      </button>
      <input
        type="range"
        aria-label="Moment"
        aria-valuetext={time.toLocaleString()}
        min={now - SPAN_SECONDS}
        max={now}
        step={5}
        value={at}
        onChange={(event) => onMove(Number(event.target.value))}
      />
      <output>{time.toLocaleTimeString(undefined, { hour12: false })}</output>
      <Select label="Speed" value={speed} options={SPEEDS} onChange={setSpeed} />
      <small className="muted">Traffic as it was; workloads and policies as they are now.</small>
      <button type="button" className="button" onClick={onEnd}>
        Back to now
      </button>
    </div>
  );
}

/** The graph of a moment; nothing is asked while `at` is undefined. */
export function usePast(parameters: string, at: number | undefined): Watched<GraphAnswer> {
  const [answer, setAnswer] = useState<Watched<GraphAnswer>>({ data: undefined, time: 0, problem: undefined });
  useEffect(() => {
    if (at === undefined) return;
    const gone = new AbortController();
    void (async () => {
      try {
        const response = await fetch(`/kiali/api/graph?${parameters}&queryTime=${at}`, { signal: gone.signal });
        const body = (await response.json()) as GraphAnswer & { error?: string; detail?: string };
        if (response.ok) setAnswer({ data: body, time: at * 1000, problem: undefined });
        else setAnswer((old) => ({ ...old, problem: { message: body.error ?? response.statusText, ...(body.detail && { hint: body.detail }) } }));
      } catch (thrown) {
        if (!gone.signal.aborted)
          setAnswer((old) => ({ ...old, problem: { message: `The past could not be read: ${thrown instanceof Error ? thrown.message : String(thrown)}` } }));
      }
    })();
    return () => gone.abort();
  }, [parameters, at]);
  return answer;
}
