/**
 * Where Envoy finds the pipe to its agent, its fourth descriptor: the control plane writes this path into the access logs
 * that are meant for the agent.
 */
export const TELEMETRY_PATH = "/dev/fd/3";
