import type { KubeObject } from "../../../resources/index.ts";
import type { Resource } from "../catalogue.ts";
import type { UserInfo } from "../types.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** One write on its way in. */
export interface Attributes {
  operation: Operation;
  resource: Resource;
  subresource: string;
  namespace: string;
  name: string;
  /** Absent for DELETE. In the version of the request. */
  object: KubeObject | undefined;
  /** For UPDATE and DELETE. */
  old: KubeObject | undefined;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, as webhooks get them. */
  options: Record<string, unknown>;
  user: UserInfo;
  dryRun: boolean;
  /** Shown to the client as Warning headers. */
  warnings: string[];
}

/** What may change or refuse a write. Refusals are thrown StatusErrors. */
export interface AdmissionPlugin {
  /** The server's own additions, in place; may refuse. Runs before `mutate` of the same plugin. */
  complete?(attributes: Attributes): void;
  /** Asks outsiders: returns the object to go on with, which is then read and defaulted as if the client had sent it. */
  mutate?(attributes: Attributes): Promise<KubeObject | undefined> | KubeObject | undefined;
  validate?(attributes: Attributes): Promise<void> | void;
  /** After a CREATE was stored, or refused by whatever came later. */
  settled?(object: KubeObject): void;
}
