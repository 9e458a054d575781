/**
 * leadership says which of several istiods does what only one may do: write trust bundles, webhook configurations and statuses.
 * It elects by a Lease, as Kubernetes' own controllers do, and writes none where istiod is alone.
 * Everything else, such as pushing configuration and signing, all istiods do at once.
 */
export { followLeadership, type Leadership, type LeadershipOptions } from "./leadership.ts";
export { countIstiods, listIstiods } from "./replicas.ts";
export { whileLeading } from "./while-leading.ts";
