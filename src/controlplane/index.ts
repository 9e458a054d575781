/**
 * controlplane is istiod: it signs workload identities, injects sidecars, checks Istio's resources and tells proxies by xDS what to do.
 * It reads and writes the Kubernetes API alone, and cannot tell an embedded cluster from a real one.
 * `main.ts` runs it in a pod; its parts are rooms of their own below this folder, `install` among them for whoever sets it up.
 */
export { meshManifests, removalOrder, type InstallValues } from "./install/index.ts";
export { startIstiod, type Istiod, type IstiodOptions } from "./istiod.ts";
