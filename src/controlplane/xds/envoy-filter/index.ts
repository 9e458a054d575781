/**
 * envoy-filter changes finished resources as EnvoyFilters say: merges into them, adds to their lists, takes away.
 * It works on decoded messages after everything else, so that no other part of generation knows of patches.
 * A patch that cannot be applied changes nothing and is reported.
 */
export { EnvoyFilterPatcher } from "./patcher.ts";
