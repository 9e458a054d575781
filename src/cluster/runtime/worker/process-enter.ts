import { closeFd, NamespaceFlag, unshareThread } from "../../../linux/index.ts";
import { environmentScript, envProgram } from "../environment.ts";
import { firstChild, joinGroups, unprivileged, type StartContext } from "./container-start.ts";
import { Gate, ownTerminal } from "./gate.ts";
import type { ProcessEnter } from "./protocol.ts";
import { spawnProcess } from "./spawn.ts";
import { dropStep, joinPids, stepIn, stepOut, stepToPidsOf } from "./tools-root.ts";

/**
 * Starts a further process in a running container: in its namespaces, but with a copy of its mounts, so that it can begin
 * outside of the container's root (tools-root.ts says why) without the container noticing.
 */
export function enterContainer(context: StartContext, spec: ProcessEnter): { pid: number; terminalFd: number | undefined } {
  const { namespaces, tools } = context;
  const environment = environmentScript(spec.env, envProgram(spec.root, tools.env));
  const step = stepToPidsOf(context.toolsRoot, spec.targetPid);
  const gate = new Gate(environment);
  try {
    const spawned = namespaces.inContainer(spec.sandboxId, spec.targetPid, () => {
      unshareThread(NamespaceFlag.MOUNT);
      stepOut(step, spec.stdio === "terminal");
      // nsenter stays outside as the parent that passes the exit on.
      return spawnProcess([...joinPids(tools.nsenter), ...unprivileged(tools, spec), ...spec.argv], spec.stdio, gate.stdio, context.onExit);
    });
    try {
      gate.awaitReady();
      namespaces.inMountsOf(spawned.process.pid, () => {
        stepIn();
        if (spawned.terminal) ownTerminal(spawned.terminal.number, ...spec.owner);
      });
      if (spec.procs.length > 0) joinGroups(spec.procs, firstChild(spawned.process.pid));
      gate.open();
      return { pid: spawned.process.pid, terminalFd: spawned.terminal?.fd };
    } catch (error) {
      spawned.process.kill("SIGKILL");
      if (spawned.terminal) closeFd(spawned.terminal.fd);
      throw error;
    }
  } finally {
    dropStep(step);
    gate.close();
  }
}
