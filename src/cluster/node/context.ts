import type { Clock, Logger } from "../../base/index.ts";
import type { KubeClient } from "../../kube/index.ts";
import type { Service } from "../../resources/index.ts";
import type { ImageCatalogue } from "../images/types.ts";
import type { ContainerRuntime } from "../runtime/types.ts";
import type { ConfigSource } from "./env.ts";
import type { EventRecorder } from "./events.ts";
import type { NodeCapacity } from "./field-ref.ts";
import type { DnsSettings } from "./pod-files.ts";
import type { KubernetesAddress } from "./service-env.ts";
import type { LocalFolders } from "./volumes/local-folders.ts";

/** What all pods of the node share. */
export interface NodeContext {
  client: KubeClient;
  runtime: ContainerRuntime;
  /** Whether files can be given to that group: as root to any, in a user's own namespace to none that pods have. */
  mapsGroup(gid: number): boolean;
  catalogue: ImageCatalogue;
  clock: Clock;
  log: Logger;
  events: EventRecorder;
  source: ConfigSource;
  services(): Service[];
  nodeName: string;
  hostIP: string;
  capacity: NodeCapacity;
  dns: DnsSettings;
  kubernetes: KubernetesAddress;
  /** Volumes, /etc files and logs live below, 0700. */
  stateDir: string;
  protectedPaths: string[];
  localFolders: LocalFolders | undefined;
}
