import type { Script } from "../types.ts";
import { accessScripts } from "./access.ts";
import { applyScripts } from "./apply.ts";
import { certificateScripts } from "./certificates.ts";
import { customScripts } from "./custom.ts";
import { defaultScripts } from "./defaults.ts";
import { discoveryScripts } from "./discovery.ts";
import { invalidKindScripts } from "./invalid-kinds.ts";
import { invalidPodScripts } from "./invalid-pods.ts";
import { validationModeScripts } from "./negotiation.ts";
import { limitScripts } from "./limits.ts";
import { objectScripts } from "./objects.ts";
import { patchScripts } from "./patches.ts";
import { podSecurityScripts } from "./pod-security.ts";
import { subresourceScripts } from "./subresources.ts";
import { warningScripts } from "./warnings.ts";
import { watchScripts } from "./watches.ts";

/** Every conversation. */
export const scripts: readonly Script[] = [
  ...objectScripts,
  ...validationModeScripts,
  ...patchScripts,
  ...applyScripts,
  ...watchScripts,
  ...customScripts,
  ...accessScripts,
  ...subresourceScripts,
  ...discoveryScripts,
  ...defaultScripts,
  ...invalidPodScripts,
  ...invalidKindScripts,
  ...limitScripts,
  ...podSecurityScripts,
  ...certificateScripts,
  ...warningScripts,
];
