/** Chainmail's own version; images, `istioctl version` and node metadata show it. */
export const VERSION = "0.1.0";

/** The version that the embedded API server reports: it chooses the kubectl that version-skewed dispatchers run. */
export const KUBERNETES_VERSION = { major: "1", minor: "33", gitVersion: "v1.33.1" } as const;
