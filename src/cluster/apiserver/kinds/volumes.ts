import type { Clock } from "../../../base/index.ts";
import type { KindStrategy } from "../rest/context.ts";
import { timestamp } from "../rest/object-meta.ts";

/** A volume begins as Pending, and says since when. */
export function volumeStrategy(clock: Clock): KindStrategy {
  return {
    prepareCreate(object) {
      object.status = { phase: "Pending", lastPhaseTransitionTime: timestamp(clock.now()) };
      return undefined;
    },
  };
}
