/**
 * console shows what goes on in the mesh: a web app on one live stream, and Kiali's API at Kiali's paths.
 * It reads the API server and the metrics store and writes nothing with rights of its own.
 * It runs as the program `kiali` in a pod; the command line installs its manifests and builds its pages.
 */
export { consoleManifests } from "./manifests.ts";
