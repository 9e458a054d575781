/**
 * Writes what is needed to build the images of a mesh on Kubernetes: a folder for each with a Dockerfile and the files
 * that go in. No registry serves these images: you build them with the tool that you have, and push them to your own.
 *
 *   bun scripts/image-contexts.ts FOLDER
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUN_PATH, buildPrograms, type ProgramName } from "../src/cli/programs.ts";

interface ImageContext {
  readonly program: ProgramName;
  /** Packages of the base image's distribution that the program calls. */
  readonly packages: readonly string[];
  readonly user: string;
}

/** Istio's proxy user runs istiod too; the capturing init container of a pod says itself that it is root. */
const ISTIO_USER = "1337:1337";
const IMAGES: Readonly<Record<string, ImageContext>> = {
  pilot: { program: "pilot-discovery", packages: [], user: ISTIO_USER },
  proxyv2: { program: "pilot-agent", packages: ["libnftables1"], user: ISTIO_USER },
  console: { program: "kiali", packages: [], user: ISTIO_USER },
  prometheus: { program: "prometheus", packages: [], user: ISTIO_USER },
};

/** The Dockerfile of one image. */
export function dockerfile({ program, packages, user }: ImageContext): string {
  const install =
    packages.length > 0 ? [`RUN apt-get update && apt-get install -y --no-install-recommends ${packages.join(" ")} && rm -rf /var/lib/apt/lists/*`] : [];
  return `${["FROM debian:12-slim", ...install, "COPY opt/chainmail /opt/chainmail", "ENV PATH=/opt/chainmail/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", `USER ${user}`, `ENTRYPOINT ["/opt/chainmail/bin/${program}"]`].join("\n")}\n`;
}

async function main(target: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "chainmail-images-"));
  try {
    const { folder } = await buildPrograms(home);
    for (const [name, image] of Object.entries(IMAGES)) {
      const root = join(target, name, "opt/chainmail");
      mkdirSync(join(root, "bin"), { recursive: true });
      cpSync(folder, join(root, "lib"), { recursive: true, filter: (path) => path !== join(folder, "bin") });
      cpSync(join(folder, "bin", image.program), join(root, "bin", image.program));
      cpSync(BUN_PATH, join(root, "bin/bun"));
      writeFileSync(join(target, name, "Dockerfile"), dockerfile(image));
    }
    console.log(
      Object.keys(IMAGES)
        .map((name) => `docker build -t REGISTRY/${name}:TAG ${join(target, name)}`)
        .join("\n"),
    );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const [target] = process.argv.slice(2);
  if (!target) {
    console.error("usage: bun scripts/image-contexts.ts FOLDER");
    process.exit(64);
  }
  await main(target);
}
