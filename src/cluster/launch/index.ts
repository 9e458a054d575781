/**
 * launch tells whether this machine can host the embedded cluster, and starts, finds and stops its process tree. It
 * runs outside the tree, in the command line; inside, src/cluster/network's startNode takes over.
 *
 *   chainmail up ── setsid ──> unshare --mount --uts --ipc --pid --fork --kill-child [--user --map-root-user]
 *                                └─ sh, PID 1 of the tree: reaps, forwards SIGTERM
 *                                     └─ the cluster's Bun process
 *                                          └─ containers
 *
 * The tree keeps the host's network namespace. Killing the outer process, in whatever way, ends all of it.
 */
export { clusterRunning, launchCluster, stopCluster, type LaunchOptions } from "./launch.ts";
export { removeAsSubordinates, requireUser, type UserMapping } from "./proxy-user.ts";
export { machineError, probeMachine, type MachineCheck, type MachineReport } from "./probe.ts";
