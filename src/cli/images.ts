import { join } from "node:path";
import { type Image, type ImageCatalogue, type OwnImages, createCatalogue, sampleImages } from "../cluster/images/index.ts";
import { BUN_PATH, type ProgramName } from "./programs.ts";

const BIN = "/opt/chainmail/bin";
const LIB = "/opt/chainmail/lib";

/** Istio's proxy user: what the injected containers ask for, and what marks the proxy's own traffic where uids are real. */
const PROXY_USER = { uid: 1337, gid: 1337 };

/** Where the user's own images are; all clusters share them. */
export function imagesFolder(home: string): string {
  return join(home, "images");
}

/**
 * All that pods of an embedded cluster can name: Chainmail's own images, the ones that tutorials use, and the user's. An
 * Envoy joins the proxy's image.
 */
export function catalogue(programs: string, envoyPath?: string, ownImages?: OwnImages): ImageCatalogue {
  const proxy = own("chainmail/proxyv2", "pilot-agent", programs);
  const envoy = envoyPath === undefined ? [] : [{ hostPath: envoyPath, containerPath: `${BIN}/envoy` }];
  const images: Image[] = [
    { ...proxy, files: [...proxy.files, ...envoy], user: PROXY_USER, proxy: true },
    { ...own("chainmail/pilot", "pilot-discovery", programs), user: PROXY_USER },
    own("chainmail/console", "kiali", programs),
    own("chainmail/prometheus", "prometheus", programs),
    ...sampleImages({ programsDir: programs, bunPath: BUN_PATH }),
  ];
  return createCatalogue(images, ownImages);
}

function own(repository: string, program: ProgramName, programs: string): Image {
  return {
    repository,
    entrypoint: [`${BIN}/${program}`],
    cmd: [],
    // The programs' names are on the path, as hooks and `kubectl exec` expect of Istio's images.
    env: { PATH: `${BIN}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin` },
    workingDir: "/",
    files: [
      { hostPath: BUN_PATH, containerPath: `${BIN}/bun` },
      { hostPath: join(programs, "bin", program), containerPath: `${BIN}/${program}` },
      { hostPath: programs, containerPath: LIB },
    ],
    proxy: false,
  };
}
