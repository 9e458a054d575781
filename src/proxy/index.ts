/**
 * proxy is the data plane: it takes Envoy's resources and behaves at the socket as Envoy does, at a fraction of its cost.
 * It holds the xDS client, the bootstrap and the admin pages as well, so that it also runs alone, as `envoy -c` does.
 * It knows nothing of Kubernetes or Istio beyond what those resources say.
 */
export { createDataPlane } from "./data-plane.ts";
export type * from "./types.ts";
