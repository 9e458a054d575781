import type { UserMapping } from "./proxy-user.ts";

/**
 * unshare's arguments for the cluster's tree. No --net: the main thread listens and dials as the host does. uts and ipc
 * are made so that the namespace worker may come back from pods' own; --kill-child ends all with the outer process.
 * Rootless there is one user inside, or with "subordinate" those of /etc/subuid as well.
 */
export function frameArguments(rootless: boolean, users: UserMapping = "host"): string[] {
  const user = rootless ? ["--user", "--map-root-user", ...(users === "subordinate" ? ["--map-auto"] : [])] : [];
  return [...user, "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];
}
