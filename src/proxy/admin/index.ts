/**
 * admin answers what people and tools ask a running proxy: Envoy's pages, in Envoy's layout, of what really runs.
 * Everything but `serveAdmin` is a function from state to text; no page shows a private key.
 * Whole dumps are printed apart from the proxy, since the types of all of Envoy's API would stay in its memory.
 */
export { Admin, type AdminDeps } from "./admin.ts";
export type { AdminAnswer, DumpInput } from "./dump-input.ts";
export { printInChild, printDumpMain } from "./dump-child.ts";
export { serveAdmin } from "./serve.ts";
