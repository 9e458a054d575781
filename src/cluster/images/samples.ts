import { join } from "node:path";
import type { Image } from "./types.ts";

/** Where programs and the runtime sit in a pod; images of Chainmail's own use the same folder. */
const PROGRAMS = "/opt/chainmail";

/** Runs its arguments, or curl with them when the first is no command, as the curl project's image does. */
const CURL_ENTRYPOINT = 'if [ "$#" -eq 0 ] || ! command -v -- "$1" >/dev/null 2>&1; then set -- curl "$@"; fi; exec "$@"';

/** Scripts that the images of curl have on their path where the machine has no such program: by name, what stands in each. */
export const SAMPLE_TOOLS: Readonly<Record<string, string>> = {
  nc: `#!/bin/sh\nexec ${PROGRAMS}/bin/bun --smol ${PROGRAMS}/samples/samples.js nc "$@"\n`,
};

/** Repositories of well-known images that hold curl and a shell, with the user each runs as. */
const CURL_REPOSITORIES: { repository: string; user?: { uid: number; gid: number } }[] = [
  { repository: "curlimages/curl", user: { uid: 100, gid: 101 } },
  { repository: "quay.io/curl/curl", user: { uid: 100, gid: 101 } },
  { repository: "governmentpaas/curl-ssl" },
];

/** Istio publishes its samples under either. */
const ISTIO_REPOSITORIES = ["istio", "registry.istio.io/release", "registry.istio.io/testing", "gcr.io/istio-testing"];

/** Images of Istio's samples, by the last part of their name: the program that stands in for each, and its settings. */
const ISTIO_SAMPLES: { name: string; command: string[]; env?: Record<string, string> }[] = [
  { name: "tcp-echo-server", command: ["tcp-echo"] },
  { name: "ext-authz", command: ["ext-authz"] },
  { name: "examples-helloworld-v1", command: ["helloworld"], env: { SERVICE_VERSION: "v1" } },
  { name: "examples-helloworld-v2", command: ["helloworld"], env: { SERVICE_VERSION: "v2" } },
  { name: "examples-bookinfo-productpage-v1", command: ["bookinfo-productpage"] },
  { name: "examples-bookinfo-details-v1", command: ["bookinfo-details"] },
  { name: "examples-bookinfo-ratings-v1", command: ["bookinfo-ratings"] },
  { name: "examples-bookinfo-reviews-v1", command: ["bookinfo-reviews"], env: { SERVICE_VERSION: "v1" } },
  { name: "examples-bookinfo-reviews-v2", command: ["bookinfo-reviews"], env: { SERVICE_VERSION: "v2", ENABLE_RATINGS: "true" } },
  { name: "examples-bookinfo-reviews-v3", command: ["bookinfo-reviews"], env: { SERVICE_VERSION: "v3", ENABLE_RATINGS: "true", STAR_COLOR: "red" } },
];

/** httpbin has moved twice: Istio's samples have named each of these. The newer one is another program. */
const HTTPBINS = [
  { repositories: ["mccutchen/go-httpbin"], command: ["go-httpbin"] },
  { repositories: ["kennethreitz/httpbin", "kong/httpbin"], command: ["httpbin"] },
];

/**
 * The images that tutorials use. `programsDir` holds the bundled sample programs (`fake-service.js`, `samples.js`), `bunPath` is the
 * host's Bun binary; curl is the machine's own, which every pod sees under /usr.
 */
export function sampleImages(options: { programsDir: string; bunPath: string }): Image[] {
  const bun = `${PROGRAMS}/bin/bun`;
  const runtime = { hostPath: options.bunPath, containerPath: bun };
  // Each program of `samples.js` loads the part of the bundle that it needs, from the folder.
  const folder = [runtime, { hostPath: options.programsDir, containerPath: `${PROGRAMS}/samples` }];
  const program = (
    [repository = "", ...aliases]: readonly string[],
    file: string,
    files: Image["files"],
    command: readonly string[] = [],
    env: Record<string, string> = {},
  ): Image => ({
    repository,
    aliases,
    // A mesh is many small processes: `--smol` keeps each heap small.
    entrypoint: [bun, "--smol", `${PROGRAMS}/samples/${file}`, ...command],
    cmd: [],
    env,
    workingDir: "/",
    files,
    proxy: false,
  });
  const fakeService = program(["nicholasjackson/fake-service"], "fake-service.js", [
    runtime,
    { hostPath: join(options.programsDir, "fake-service.js"), containerPath: `${PROGRAMS}/samples/fake-service.js` },
  ]);
  const samples = (repositories: readonly string[], command: readonly string[], env?: Record<string, string>): Image =>
    program(repositories, "samples.js", folder, command, env);
  const istio = [
    ...HTTPBINS.map(({ repositories, command }) => samples(repositories, command)),
    ...ISTIO_SAMPLES.map(({ name, command, env }) =>
      samples(
        ISTIO_REPOSITORIES.map((registry) => `${registry}/${name}`),
        command,
        env,
      ),
    ),
  ];
  const curl = CURL_REPOSITORIES.map(({ repository, user }): Image => ({
    repository,
    entrypoint: ["/bin/sh", "-c", CURL_ENTRYPOINT, "entrypoint"],
    cmd: ["curl"],
    env: { PATH: `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PROGRAMS}/tools` },
    workingDir: "/",
    ...(user ? { user } : {}),
    files: [
      ...folder,
      ...Object.keys(SAMPLE_TOOLS).map((name) => ({ hostPath: join(options.programsDir, "tools", name), containerPath: `${PROGRAMS}/tools/${name}` })),
    ],
    proxy: false,
  }));
  return [fakeService, ...curl, ...istio];
}
