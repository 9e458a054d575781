import type { Clock, Logger } from "../../../base/index.ts";
import type { KubeObject } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import type { AdmissionPlugin } from "../admission/types.ts";
import type { Catalogue, Resource } from "../catalogue.ts";
import type { UserInfo } from "../types.ts";
import type { RandomBytes } from "./names.ts";
import type { WriteOptions } from "./write-options.ts";

/** What a kind does beyond what its definition says: allocations, phases. All in place on the object about to be stored. */
export interface KindStrategy {
  /** Fields of spec that the server chooses where a create leaves them out: whoever creates does not come to own them. */
  chosenFields?: readonly string[];
  /** Returns what to give back if the write fails or was a dry run. `warnings` become headers of the answer. */
  prepareCreate?(object: KubeObject, dryRun: boolean, user: UserInfo, warnings: string[]): (() => void) | undefined;
  prepareUpdate?(object: KubeObject, old: KubeObject, subresource: string, dryRun: boolean): (() => void) | undefined;
  /** On a copy of the live object, before it is marked or removed. */
  prepareDelete?(object: KubeObject): void;
  /** After it is in the store. */
  afterWrite?(object: KubeObject, old: KubeObject | undefined): void;
  afterDelete?(object: KubeObject): void;
}

/** What all handlers share. */
export interface RestContext {
  store: Store;
  catalogue: Catalogue;
  clock: Clock;
  log: Logger;
  random: RandomBytes;
  newUid(): string;
  admission: readonly AdmissionPlugin[];
  /** By `group/plural`. */
  strategies: ReadonlyMap<string, KindStrategy>;
}

/** One write as the handlers pass it along. */
export interface WriteRequest {
  /** As which it is stored, where versions differ in more than their name. */
  resource: Resource;
  /** What the client speaks of, where it is another version: bodies are in it, everything after decoding is in the storage's. */
  face?: Resource;
  namespace: string;
  /** "" for a create. */
  name: string;
  subresource: string;
  user: UserInfo;
  options: WriteOptions;
  /** Becomes Warning headers. */
  warnings: string[];
  /** Paths of the fields that the body names twice. */
  duplicates?: string[];
  /** What else is wrong with the body's text and can be lived with. */
  problems?: string[];
}
