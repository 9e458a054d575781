/**
 * status writes back to the API what the mesh found out: addresses that it gave to ServiceEntries, and where Ingresses are reached.
 * Of several istiods only the one that leads does so.
 * It reads the registry and changes nothing but statuses.
 */
export { allocateAddresses } from "./address-allocation.ts";
export { writeIngressStatus } from "./ingress-status.ts";
