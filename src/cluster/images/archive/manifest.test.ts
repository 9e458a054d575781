import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import fc from "fast-check";
import { ChainmailError } from "../../../base/index.ts";
import { ARCHITECTURE } from "./image-config.ts";
import type { ImageSource } from "./image-source.ts";
import { readManifests } from "./manifest.ts";

const sha = (text: string) => createHash("sha256").update(text).digest("hex");
const layer = `sha256:${"a".repeat(64)}`;
const configText = JSON.stringify({
  architecture: ARCHITECTURE,
  os: "linux",
  config: { Env: ["A=b=c", "broken"], Cmd: ["run"], User: "web", WorkingDir: "srv", ExposedPorts: { "80/tcp": {} }, StopSignal: "QUIT" },
  rootfs: { diff_ids: [layer] },
});

function source(files: Record<string, string>): ImageSource {
  const need = (name: string) => {
    const text = files[name];
    if (text === undefined) throw new ChainmailError("ARCHIVE_FILE_MISSING", name);
    return Buffer.from(text);
  };
  return { has: (name) => name in files, read: need, stream: (name) => Readable.from([need(name)]), start: need, close() {} };
}

function docker(config = configText, more: object = {}): Record<string, string> {
  return {
    "manifest.json": JSON.stringify([{ Config: `${sha(config)}.json`, RepoTags: ["app:1", "not a name"], Layers: ["x/layer.tar"], ...more }]),
    [`${sha(config)}.json`]: config,
  };
}

function layout(annotations: object, platforms: object[] = [{ os: "linux", architecture: ARCHITECTURE }]): Record<string, string> {
  const files: Record<string, string> = {};
  const blob = (text: string) => {
    files[`blobs/sha256/${sha(text)}`] = text;
    return { digest: `sha256:${sha(text)}` };
  };
  const manifests = platforms.map((platform) => ({ ...blob(JSON.stringify({ config: blob(configText), layers: [{ digest: layer }] })), platform }));
  files["index.json"] = JSON.stringify({ manifests: [{ ...blob(JSON.stringify({ manifests })), annotations }] });
  return files;
}

describe("image archives", () => {
  test("docker save: names, configuration, layers", () => {
    expect(readManifests(source(docker()))).toEqual([
      {
        names: ["app:1"],
        digest: `sha256:${sha(configText)}`,
        layers: ["x/layer.tar"],
        diffIds: [layer],
        config: { entrypoint: [], cmd: ["run"], env: { A: "b=c" }, user: "web", workingDir: "/srv", exposedPorts: ["80/tcp"], stopSignal: "QUIT" },
      },
    ]);
  });

  test("an OCI index in an index: the name passes down, attestations and other platforms are passed over", () => {
    const files = layout({ "io.containerd.image.name": "docker.io/library/app:1", "org.opencontainers.image.ref.name": "1" }, [
      { os: "linux", architecture: ARCHITECTURE },
      { os: "unknown", architecture: "unknown" },
      { os: "linux", architecture: "s390x" },
    ]);
    expect(readManifests(source(files))).toMatchObject([{ names: ["docker.io/library/app:1"], layers: [`blobs/sha256/${"a".repeat(64)}`], diffIds: [layer] }]);
    expect(readManifests(source(layout({ "org.opencontainers.image.ref.name": "latest" })))[0]?.names).toEqual([]);
    expect(readManifests(source(layout({ "org.opencontainers.image.ref.name": "ghcr.io/a/b:2" })))[0]?.names).toEqual(["ghcr.io/a/b:2"]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["nothing", {}, "neither manifest.json"],
    ["no JSON", { "manifest.json": "{" }, "no JSON"],
    ["another shape", { "manifest.json": '{"a":1}' }, "no list"],
    ["a configuration under another's digest", { ...docker(), [`${sha(configText)}.json`]: "{}" }, "digest that it is named by"],
    ["too few layers", docker(configText, { Layers: [] }), "0 layers, and its configuration names 1"],
    ["another machine's", docker(configText.replace(ARCHITECTURE, "mips")), `linux/mips, and this machine is linux/${ARCHITECTURE}`],
    ["other platforms only", layout({}, [{ os: "windows", architecture: "amd64" }]), "windows/amd64 only"],
    ["a layer digest that is a path", docker(configText.replace(layer, "sha256:../../x")), "is none"],
    ["a blob that is not there", { "index.json": `{"manifests":[{"digest":"${layer}"}]}` }, "blobs/sha256/aaaa"],
  ])("%s is refused", (_what, files, message) => {
    expect(() => readManifests(source(files))).toThrow(message);
  });

  test("whatever stands in the files, it is an error of its own or an image", () => {
    const names = fc.constantFrom(
      "manifests",
      "layers",
      "config",
      "digest",
      "rootfs",
      "diff_ids",
      "Config",
      "Layers",
      "RepoTags",
      "Env",
      "platform",
      "annotations",
      "mediaType",
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.integer(),
        fc.constant(null),
        fc.constant(layer),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(names, tie("any"), { maxKeys: 4 }),
      ),
    })).any;
    fc.assert(
      fc.property(fc.constantFrom("manifest.json", "index.json"), value, value, (name, first, second) => {
        const text = JSON.stringify(second);
        try {
          readManifests(source({ [name]: JSON.stringify(first), [`blobs/sha256/${"a".repeat(64)}`]: text, [`${sha(text)}.json`]: text }));
        } catch (error) {
          expect(error).toBeInstanceOf(ChainmailError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
