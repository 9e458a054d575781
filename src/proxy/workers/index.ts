/**
 * workers runs one proxy in several processes that share its listeners' ports, since one event loop fills one core.
 * The first process has the control plane, the admin pages and a data plane of its own; the others get each resource that
 * it has taken, over a pipe, and tell their statistics when somebody looks.
 */
export { workerDataPlanes, type WorkerOptions } from "./worker-pool.ts";
export { runWorker, type WorkerDeps } from "./worker.ts";
