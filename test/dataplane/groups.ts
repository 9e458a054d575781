import type { Group } from "./row.ts";
import { routeMatching } from "./rows/route-matching.ts";

/** All rows, by feature. */
export const GROUPS: readonly Group[] = [routeMatching];
