/**
 * Sends a signal to a process that may have ended already: between the end and the moment at which we are told of it,
 * its number leads nowhere (ESRCH), and what was to be ended is.
 */
export function signalUnlessGone(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ESRCH") throw thrown;
  }
}
