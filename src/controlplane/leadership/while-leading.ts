import type { Leadership } from "./leadership.ts";

/** Runs something for as long as this istiod leads; `start` is called each time it begins to. */
export function whileLeading<Running extends { stop(): void }>(leadership: Leadership, start: () => Running): { current(): Running | undefined; stop(): void } {
  let running: Running | undefined;
  const follow = (leads: boolean): void => {
    if (leads) running ??= start();
    else {
      running?.stop();
      running = undefined;
    }
  };
  const unsubscribe = leadership.onChange(follow);
  follow(leadership.leads());
  return {
    current: () => running,
    stop() {
      unsubscribe();
      follow(false);
    },
  };
}
