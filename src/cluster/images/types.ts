/** What runs when a pod names an image: data that `cli` builds and hands to the cluster. */
export interface Image {
  /** Repository without a tag: `nicholasjackson/fake-service`; every tag of it resolves here. */
  repository: string;
  entrypoint: string[];
  cmd: string[];
  env: Record<string, string>;
  workingDir: string;
  user?: { uid: number; gid: number };
  /** Read-only files of the image: host path to path in the container. */
  files: { hostPath: string; containerPath: string }[];
  /** Only our proxy image: NET_ADMIN in the pod's network namespace. */
  proxy: boolean;
}

export interface ImageCatalogue {
  /** undefined gives ErrImagePull, then ImagePullBackOff. */
  resolve(reference: string): Image | undefined;
  list(): Image[];
}
