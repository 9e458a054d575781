/**
 * samples holds the programs behind the sample images, each a folder with a `main.ts` that is bundled into one file.
 * They stand in for containers that people know from tutorials and behave as those do at the socket.
 * They know nothing of the mesh: what makes them interesting is the sidecar in front of them.
 */
export const SAMPLE_PROGRAMS = {
  "fake-service": "samples/fake-service/main.ts",
  /** Istio's own samples: httpbin, helloworld, tcp-echo, ext-authz, Bookinfo. The first argument says which. */
  samples: "samples/istio/main.ts",
} as const;
