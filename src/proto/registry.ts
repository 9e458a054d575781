import { createRegistry, type Registry } from "@bufbuild/protobuf";
import type * as AllFiles from "./gen/all-files.ts";
import type * as WellKnown from "./well-known.ts";

let loaded: Registry | undefined;

/**
 * Every generated type, for `toJson` and `fromJson` of messages that hold Any (config dumps, `xds render`).
 * Costs several megabytes and tens of milliseconds once: load it on first use, not at start.
 */
export async function loadRegistry(): Promise<Registry> {
  if (loaded) return loaded;
  const [files, wkt] = await Promise.all([import("./gen/all-files.ts"), import("./well-known.ts")]);
  return (loaded ??= build(files, wkt));
}

/** The same where nothing can wait. It stops everything else for as long as loading takes. */
export function registryNow(): Registry {
  // Bun loads modules at once when they are required; an import would be loaded at start.
  loaded ??= build(require("./gen/all-files.ts") as typeof AllFiles, require("./well-known.ts") as typeof WellKnown);
  return loaded;
}

function build({ allFiles }: typeof AllFiles, wkt: typeof WellKnown): Registry {
  return createRegistry(...allFiles, ...Object.values(wkt));
}
