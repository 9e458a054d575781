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
  /** Returns the object to go on with; must not change the one it got. */
  mutate?(attributes: Attributes): Promise<KubeObject | undefined> | KubeObject | undefined;
  validate?(attributes: Attributes): Promise<void> | void;
}
