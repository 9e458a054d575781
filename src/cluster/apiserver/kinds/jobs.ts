import { type Job, selectJobPods } from "../../../resources/index.ts";
import type { KindStrategy } from "../rest/context.ts";

/** A new job finds its pods by its uid. */
export const jobStrategy: KindStrategy = {
  prepareCreate(object) {
    selectJobPods(object as unknown as Job);
    return undefined;
  },
};
