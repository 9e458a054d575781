import type { ImageUser } from "./users.ts";

/** What runs when a pod names an image. Those that Chainmail brings are data that `cli` builds; users add their own. */
export interface Image {
  /** Repository without a tag: `nicholasjackson/fake-service`; every tag of a brought image resolves to it. */
  repository: string;
  /** Other repositories that hold the same. */
  aliases?: readonly string[];
  entrypoint: string[];
  cmd: string[];
  env: Record<string, string>;
  workingDir: string;
  /** Undefined: root. */
  user?: { uid: number; gid: number };
  /** Files of the machine in its containers: host path to path in the container, read-only unless `writable`. */
  files: { hostPath: string; containerPath: string; writable?: boolean }[];
  /** Only our proxy image: NET_ADMIN in the pod's network namespace. */
  proxy: boolean;
  /** Of a user's image. */
  own?: OwnImage;
}

/** What an image of the user's own has beside. */
export interface OwnImage {
  /** `sha256:…` */
  digest: string;
  /** Host folder with its root file system; undefined where it runs on the machine's programs. */
  root: string | undefined;
  /** The user as the configuration spells it: it is looked up when a container starts. */
  user: string;
  /** What the container gets to end it, where it is not SIGTERM. */
  stopSignal?: string;
  exposedPorts: string[];
}

export interface ImageCatalogue {
  /** undefined gives ErrImagePull, then ImagePullBackOff. */
  resolve(reference: string): Image | undefined;
  list(): Image[];
  /** Names of the user's own images, as they would type them. */
  ownNames?(): string[];
}

/** Where a user's images come from. */
export interface OwnImages {
  find(reference: string): Image | undefined;
  names(): string[];
}

export type { ImageUser };
