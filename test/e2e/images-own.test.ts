import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tar, type TarItem } from "../../src/cluster/images/testing/tar-writer.ts";
import { makeImageRoot } from "../runtime/image-root.ts";
import { HAS_CLUSTER, eventually, must, sh } from "./shell.ts";

const folder = mkdtempSync(join(tmpdir(), "chainmail-images-"));
const go = ["/usr/local/go/bin/go", Bun.which("go") ?? ""].find((path) => path !== "" && existsSync(path));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const architecture = process.arch === "x64" ? "amd64" : process.arch;

/** A folder as the entries of a layer. */
function entries(root: string, name = ""): TarItem[] {
  return readdirSync(join(root, name)).flatMap((each): TarItem[] => {
    const path = name ? `${name}/${each}` : each;
    const stat = lstatSync(join(root, path));
    const mode = stat.mode & 0o7777;
    if (stat.isSymbolicLink()) return [{ name: path, type: "2", linkName: readlinkSync(join(root, path)) }];
    return stat.isDirectory()
      ? [{ name: `${path}/`, type: "5", mode }, ...entries(root, path)]
      : [{ name: path, content: readFileSync(join(root, path)), mode }];
  });
}

function configFile(layers: Uint8Array[], config: object): Buffer {
  return Buffer.from(
    JSON.stringify({ architecture, os: "linux", config, rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) } }),
  );
}

/** As `docker save` writes it. */
function dockerArchive(name: string, layers: Buffer[], config: object): Buffer {
  const file = configFile(layers, config);
  const manifest = [{ Config: `${sha256(file)}.json`, RepoTags: [name], Layers: layers.map((_, i) => `${i}/layer.tar`) }];
  return tar([
    ...layers.map((content, i) => ({ name: `${i}/layer.tar`, content })),
    { name: `${sha256(file)}.json`, content: file },
    { name: "manifest.json", content: JSON.stringify(manifest) },
  ]);
}

/** An OCI layout, its layers compressed, with an image for another platform beside. */
function writeLayout(path: string, name: string, layers: Buffer[], config: object): void {
  mkdirSync(join(path, "blobs/sha256"), { recursive: true });
  const blob = (bytes: Uint8Array, mediaType: string, more: object = {}) => {
    writeFileSync(join(path, "blobs/sha256", sha256(bytes)), bytes);
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length, ...more };
  };
  const json = (value: object, mediaType: string, more: object = {}) => blob(Buffer.from(JSON.stringify(value)), mediaType, more);
  const manifest = json(
    {
      schemaVersion: 2,
      config: blob(configFile(layers, config), "application/vnd.oci.image.config.v1+json"),
      layers: layers.map((layer) => blob(gzipSync(layer), "application/vnd.oci.image.layer.v1.tar+gzip")),
    },
    "application/vnd.oci.image.manifest.v1+json",
    { platform: { os: "linux", architecture } },
  );
  const other = { ...manifest, digest: `sha256:${"0".repeat(64)}`, platform: { os: "windows", architecture } };
  const index = json({ schemaVersion: 2, manifests: [other, manifest] }, "application/vnd.oci.image.index.v1+json", {
    annotations: { "io.containerd.image.name": `docker.io/library/${name}` },
  });
  writeFileSync(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [index] }));
  writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

const running = (pod: string) =>
  eventually(async () => expect(await must(`kubectl get pod -n default ${pod} -o jsonpath='{.status.phase}'`)).toBe("Running"), 20_000);
const inPod = async (pod: string, command: string) => (await sh(`kubectl exec -n default ${pod} -- sh -c '${command}'`)).stdout;
const run = (pod: string, image: string, more = "") =>
  must(`kubectl run -n default ${pod} --image=${image} --restart=Never --annotations=sidecar.istio.io/inject=false ${more}`);
const asRoot = process.getuid?.() === 0;

describe.if(HAS_CLUSTER)("images of the user's own", () => {
  let base: Buffer;
  beforeAll(() => {
    const root = makeImageRoot(join(folder, "root"));
    rmSync(join(root, "etc/ld.so.preload"));
    base = tar(entries(root));
  });
  afterAll(async () => {
    await must("kubectl delete pod -n default --force --grace-period=0 --ignore-not-found own-1 own-2 own-3 own-4 own-5 own-6");
    await sh("chainmail image remove own-app:1 own-layout:2 own-program own-rootfs own-static; chainmail image prune");
    rmSync(folder, { recursive: true, force: true });
  });

  test("a pod waits for its image, is told how to bring it, and starts when it has come", async () => {
    await run("own-1", "own-app:1");
    await eventually(async () => expect(await must("kubectl get pod own-1 -n default --no-headers")).toContain("ImagePullBackOff"), 20_000);
    const event = await must("kubectl get events -n default --field-selector involvedObject.name=own-1 -o jsonpath='{.items[*].message}'");
    expect(event).toContain("docker save own-app:1 | chainmail image load -");

    const changes = tar([
      { name: "data/inner/.wh.file" },
      { name: "srv/greeting", content: "hello", mode: 0o600, uid: 1234, gid: 1235 },
      {
        name: "start",
        content: '#!/bin/sh\necho "$GREETING from $0 as $(id -u) in $PWD at $HOME"\ntrap "echo stopped by QUIT; exit 3" QUIT\nwhile :; do sleep 0.05; done\n',
        mode: 0o755,
      },
    ]);
    const config = {
      User: "app",
      WorkingDir: "/srv",
      Env: ["PATH=/bin", "GREETING=good day"],
      Entrypoint: ["/start"],
      Cmd: ["unused"],
      ExposedPorts: { "8080/tcp": {} },
      StopSignal: "SIGQUIT",
    };
    writeFileSync(join(folder, "app.tar.gz"), gzipSync(dockerArchive("own-app:1", [base, changes], config)));
    const started = performance.now();
    expect(await must(`chainmail image load ${folder}/app.tar.gz`)).toContain("loaded own-app:1");
    await running("own-1");
    console.log(`a waiting pod ran ${Math.round(performance.now() - started)} ms after its image was loaded`);
    expect(await must("kubectl logs -n default own-1")).toBe(`good day from /start as ${asRoot ? 1234 : 0} in /srv at /home/app\n`);
    expect(await inPod("own-1", "cat /srv/greeting /marker; ls /data/inner /usr 2>&1 | cat; id -G")).toMatch(
      new RegExp(`^helloimage.*No such file.*${asRoot ? "1235 1300" : "0"}\\n$`, "s"),
    );
    expect(await must("kubectl get pod own-1 -n default -o jsonpath='{.status.containerStatuses[0].imageID}'")).toMatch(/^own-app@sha256:[0-9a-f]{64}$/);
  }, 60_000);

  test("its stop signal ends it, and its own files stay as they were", async () => {
    await inPod("own-1", "echo x > /tmp/mine; rm /marker");
    // The pod goes only once its log is being followed: a stream that comes too late finds no pod.
    const log = await must("(sleep 2; kubectl delete pod own-1 -n default >/dev/null) & kubectl logs -n default -f own-1; wait");
    expect(log).toContain("stopped by QUIT");
    await run("own-2", "own-app:1");
    await running("own-2");
    expect(await inPod("own-2", "cat /marker; ls /tmp")).toBe("image");
  }, 40_000);

  test("an OCI layout, its platform chosen, on layers that are there already", async () => {
    writeLayout(join(folder, "layout"), "own-layout:2", [base, tar([{ name: "bin/.wh.stat" }])], { Env: ["PATH=/bin"], Cmd: ["sleep", "1000"] });
    const loaded = await sh(`chainmail image load ${folder}/layout`);
    expect([loaded.stdout.startsWith("loaded own-layout:2"), loaded.stderr]).toEqual([true, "layer 1 of 2: here already\nlayer 2 of 2\n"]);
    await run("own-3", "own-layout:2");
    await running("own-3");
    expect(await inPod("own-3", "ls /bin/stat /bin/cat 2>/dev/null; cat /proc/1/comm")).toBe("/bin/cat\nsleep\n");
    expect(await must("chainmail image list")).toMatch(/own-layout:2 +[0-9a-f]{12} +sleep 1000 +\d/);
  }, 40_000);

  test.if(go !== undefined)(
    "a static program on nothing else, by standard input",
    async () => {
      writeFileSync(
        join(folder, "main.go"),
        'package main\nimport ("fmt"; "net"; "os")\nfunc main() {\nfmt.Println("up", os.Getuid(), os.Args)\nh, _ := os.Hostname()\nl, _ := net.Listen("tcp", ":8080")\nfor { c, _ := l.Accept(); c.Read(make([]byte, 4096)); fmt.Fprintf(c, "HTTP/1.0 200 OK\\r\\n\\r\\nstatic on %s", h); c.Close() }\n}\n',
      );
      const built = Bun.spawnSync([go!, "build", "-o", join(folder, "static"), join(folder, "main.go")], { env: { ...process.env, CGO_ENABLED: "0" } });
      expect(built.stderr.toString()).toBe("");
      const layer = tar([{ name: "static", content: readFileSync(join(folder, "static")), mode: 0o755 }]);
      writeFileSync(join(folder, "static.tar"), dockerArchive("own-static:latest", [layer], { Entrypoint: ["/static"], User: "65532:65532", WorkingDir: "/" }));
      await must(`cat ${folder}/static.tar | chainmail image load -`);
      await run("own-4", "own-static", "--port=8080");
      await running("own-4");
      const ip = await must("kubectl get pod own-4 -n default -o jsonpath='{.status.podIP}'");
      await eventually(async () => expect(await must("kubectl logs -n default own-4")).toContain(`up ${asRoot ? 65532 : 0} [/static]`));
      const forward = Bun.spawn(["bash", "-c", "exec kubectl port-forward -n default pod/own-4 18099:8080"], {
        env: { ...process.env, KUBECONFIG: (await must("echo $KUBECONFIG")).trim() },
        stdout: "ignore",
        stderr: "ignore",
      });
      try {
        await eventually(async () => expect(await (await fetch("http://127.0.0.1:18099/")).text()).toBe("static on own-4"));
      } finally {
        forward.kill();
      }
      expect(ip).toMatch(/^10\.244\./);
    },
    90_000,
  );

  test("a program of the machine, in a folder of the user's", async () => {
    mkdirSync(join(folder, "app"));
    writeFileSync(
      join(folder, "app/server.sh"),
      'echo "serving $1 from $PWD with $MODE"; cat data; (echo x > written) 2>/dev/null && echo wrote; exec sleep 1000\n',
    );
    writeFileSync(join(folder, "app/data"), "first\n");
    chmodSync(folder, 0o755);
    await must(`cd ${folder} && chainmail image add own-program --exec 'sh server.sh "two words"' --cwd ./app --env MODE=test`);
    await run("own-5", "own-program");
    await running("own-5");
    await eventually(async () => expect(await must("kubectl logs -n default own-5")).toBe("serving two words from /app with test\nfirst\n"));
    const refused = await sh(
      `chainmail image add own-x --exec 'cat x' --cwd $CHAINMAIL_HOME/images; chainmail image add own-x --exec 'a | b'; chainmail image add chainmail/proxyv2 --exec cat`,
    );
    expect(refused.stderr).toMatch(/holds the clusters' keys[\s\S]*a shell would have to read[\s\S]*Chainmail's own/);
  }, 40_000);

  test("a folder as the root file system", async () => {
    await must(`chainmail image add own-rootfs --rootfs ${folder}/root --exec 'sh -c "echo on; exec sleep 1000"' --user app --env PATH=/bin`);
    await run("own-6", "own-rootfs");
    await running("own-6");
    expect(await inPod("own-6", "cat /marker; echo changed > /tmp/x; id -u")).toBe(`image${asRoot ? 1234 : 0}\n`);
    expect(existsSync(join(folder, "root/tmp/x"))).toBe(false);
  }, 40_000);

  test("an archive that leads out of the image, or is damaged, is refused and leaves nothing", async () => {
    const home = (await must("echo ${CHAINMAIL_HOME:-$HOME/.local/state/chainmail}")).trim();
    const before = [readdirSync(join(home, "images/layers")), readFileSync(join(home, "images/index.json"), "utf8")];
    const config = { Cmd: ["x"] };
    const bad: [string, Buffer, RegExp][] = [
      ["climbs", dockerArchive("bad:1", [tar([{ name: "../../evil", content: "x" }])], config), /leads out of the image/],
      ["links", dockerArchive("bad:1", [tar([{ name: "l", type: "2", linkName: "../etc" }])], config), /outside of the image/],
      ["no image", tar([{ name: "readme", content: "x" }]), /no image archive[\s\S]*--rootfs/],
      ["half", dockerArchive("bad:1", [tar([{ name: "a", content: "x".repeat(9000) }])], config).subarray(0, 4000), /middle of a file/],
      ["another layer", dockerArchive("bad:1", [tar([{ name: "a", content: "x" }])], config).fill("y", 1024, 1025), /digest/],
    ];
    for (const [name, archive, message] of bad) {
      writeFileSync(join(folder, "bad.tar"), archive);
      const result = await sh(`chainmail image load ${folder}/bad.tar`);
      expect([name, result.exitCode, result.stderr]).toEqual([name, 1, expect.stringMatching(message)]);
    }
    const bomb = dockerArchive("bomb:1", [tar([{ name: "zero", content: Buffer.alloc(30 << 20) }])], config);
    writeFileSync(join(folder, "bomb.tar.gz"), gzipSync(bomb));
    expect((await sh(`chainmail image load --max-size 20Mi ${folder}/bomb.tar.gz`)).stderr).toContain("more than 20 MiB");
    expect([readdirSync(join(home, "images/layers")), readFileSync(join(home, "images/index.json"), "utf8")]).toEqual(before);
    expect(readdirSync(join(home, "images/tmp"))).toEqual([]);
    expect(statSync(join(home, "images")).mode & 0o777).toBe(0o700);
  }, 60_000);

  test("what is removed is gone with prune, but for what a pod still runs on", async () => {
    await must("chainmail image remove own-layout:2");
    expect(await must("chainmail image list -q")).not.toContain("own-layout");
    expect(await must("chainmail image prune")).toMatch(/deleted 1 layer and 0 roots/);
    expect(await inPod("own-3", "cat /marker")).toBe("image");
    await must("kubectl delete pod own-3 -n default --force --grace-period=0");
    await eventually(async () => expect(await must("chainmail image prune")).toMatch(/deleted 0 layers and 1 root/));
    expect((await sh("chainmail image remove nosuch")).stderr).toContain("there is no image nosuch of your own");
  }, 40_000);
});
