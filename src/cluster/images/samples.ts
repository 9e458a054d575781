import { join } from "node:path";
import type { Image } from "./types.ts";

/** Where programs and the runtime sit in a pod; images of Chainmail's own use the same folder. */
const PROGRAMS = "/opt/chainmail";

/** Runs its arguments, or curl with them when the first is no command, as the curl project's image does. */
const CURL_ENTRYPOINT = 'if [ "$#" -eq 0 ] || ! command -v -- "$1" >/dev/null 2>&1; then set -- curl "$@"; fi; exec "$@"';

/** Repositories of well-known images that hold curl and a shell, with the user each runs as. */
const CURL_REPOSITORIES: { repository: string; user?: { uid: number; gid: number } }[] = [
  { repository: "curlimages/curl", user: { uid: 100, gid: 101 } },
  { repository: "quay.io/curl/curl", user: { uid: 100, gid: 101 } },
  { repository: "governmentpaas/curl-ssl" },
];

/**
 * The images that tutorials use. `programsDir` holds the bundled sample programs (`fake-service.js`), `bunPath` is the
 * host's Bun binary; curl is the machine's own, which every pod sees under /usr.
 */
export function sampleImages(options: { programsDir: string; bunPath: string }): Image[] {
  const bun = `${PROGRAMS}/bin/bun`;
  const program = `${PROGRAMS}/samples/fake-service.js`;
  const fakeService: Image = {
    repository: "nicholasjackson/fake-service",
    // A mesh is many small processes: `--smol` keeps each heap small.
    entrypoint: [bun, "--smol", program],
    cmd: [],
    env: {},
    workingDir: "/",
    files: [
      { hostPath: options.bunPath, containerPath: bun },
      { hostPath: join(options.programsDir, "fake-service.js"), containerPath: program },
    ],
    proxy: false,
  };
  const curl = CURL_REPOSITORIES.map(
    ({ repository, user }): Image => ({
      repository,
      entrypoint: ["/bin/sh", "-c", CURL_ENTRYPOINT, "entrypoint"],
      cmd: ["curl"],
      env: {},
      workingDir: "/",
      ...(user ? { user } : {}),
      files: [],
      proxy: false,
    }),
  );
  return [fakeService, ...curl];
}
