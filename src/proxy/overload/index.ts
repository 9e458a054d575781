/**
 * overload protects the proxy from too much of everything: it watches its memory and its connections as the bootstrap's
 * overload_manager says, sheds requests and refuses connections before the process dies of them.
 * Without such a configuration nothing is watched and requests pass one undefined field.
 */
export { Overload } from "./overload.ts";
export { readOverload, type OverloadConfig } from "./overload-config.ts";
