import { VERSION } from "../../base/index.ts";

/** What `istioctl version` reads; `golang_version` stays in the shape and is empty. */
export const BUILD_INFO = { version: VERSION, revision: "chainmail", golang_version: "", status: "Clean", tag: VERSION } as const;

/** `version-revision-status`: the body of `/version`. */
export const VERSION_LINE = `${BUILD_INFO.version}-${BUILD_INFO.revision}-${BUILD_INFO.status}`;

/** The ControlPlane identifier of answers to istioctl: which instance spoke. */
export function controlPlaneIdentifier(podName: string): string {
  return JSON.stringify({ Component: "istiod", ID: podName, Info: BUILD_INFO });
}
