/**
 * unshare's arguments for the cluster's tree. No --net: the main thread listens and dials as the host does. uts and ipc
 * are made so that the namespace worker may come back from pods' own; --kill-child ends all with the outer process.
 */
export function frameArguments(rootless: boolean): string[] {
  const user = rootless ? ["--user", "--map-root-user"] : [];
  return [...user, "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];
}
