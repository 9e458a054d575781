/** After so long without a change the renderer is let sleep. Longer than any of its animations. */
const AWAKE_MS = 1_000;
/** What people do that the renderer must answer. */
const EVENTS = ["pointermove", "pointerdown", "pointerup", "wheel", "touchstart", "touchmove", "keydown"] as const;

export interface FrameGate {
  /** Something has changed: the renderer draws again. */
  wake(): void;
  /** A frame for those who ask only when they have something to draw. */
  request(callback: FrameRequestCallback): number;
  remove(): void;
}

/**
 * Lets the graph's renderer sleep while nothing changes. It asks for a frame sixty times a second for as long as it
 * lives, whether there is anything to draw or not, which costs an idle page several per cent of a processor; its
 * requests wait here until somebody wakes it.
 */
export function installFrameGate(): FrameGate {
  const native = window.requestAnimationFrame;
  const request = native.bind(window);
  let awakeUntil = performance.now() + AWAKE_MS;
  let waiting: FrameRequestCallback[] = [];
  window.requestAnimationFrame = (callback) => {
    if (performance.now() < awakeUntil) return request(callback);
    waiting.push(callback);
    return 0;
  };
  const wake = () => {
    awakeUntil = performance.now() + AWAKE_MS;
    const due = waiting;
    waiting = [];
    for (const callback of due) request(callback);
  };
  for (const event of EVENTS) addEventListener(event, wake, { capture: true, passive: true });
  return {
    wake,
    request,
    remove() {
      for (const event of EVENTS) removeEventListener(event, wake, { capture: true });
      window.requestAnimationFrame = native;
      wake();
    },
  };
}
