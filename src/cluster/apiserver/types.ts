import type { Duplex } from "node:stream";

/** Who asks: the outcome of authentication (client certificate, bearer token, or system:anonymous). */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

/** Connects to a pod or service address from the node; webhooks are called through it. */
export type Dial = (host: string, port: number) => Promise<Duplex>;
