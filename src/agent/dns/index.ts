/**
 * dns is the agent's DNS proxy: it answers for the mesh's names from the table that istiod sends (NDS) and passes all
 * other questions on to the pod's own name servers. It runs only where DNS is captured (ISTIO_META_DNS_CAPTURE).
 */
export { serveDns, type DnsProxy } from "./dns-server.ts";
export { compileNameTable, type NameAnswers } from "./name-table.ts";
export { readResolvConf, type ResolvConf } from "./resolv-conf.ts";
