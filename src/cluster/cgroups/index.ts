/**
 * cgroups holds containers to their limits of memory, CPU and processes by the kernel's control groups: version 2 where
 * the machine has it, version 1's controllers where those hold them. Root may always make groups; an ordinary user needs
 * a delegated one, such as `systemd-run --user --scope -p Delegate=yes chainmail up` gives.
 * Where there is none, nothing is enforced, and the node agent tells so in an event.
 */
export { openCgroups, type Cgroups, type ContainerGroup, type ContainerLimits } from "./cgroups.ts";
export { leaveDelegatedGroup } from "./delegation.ts";
