import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PODS } from "../../kube/index.ts";
import type { SecurityContext } from "../../resources/index.ts";
import { IMAGE, NodeHarness } from "./testing/harness.ts";

let node: NodeHarness;
let pods = 0;
beforeEach(async () => {
  node = await new NodeHarness().start();
});
afterEach(() => node.stop());

test("an unknown image: ErrImagePull, then ImagePullBackOff, with an event that says what to do", async () => {
  await node.createPod({ containers: [{ name: "app", image: "nginx:1.27" }] });
  const reason = async () => (await node.pod()).status?.containerStatuses?.[0]?.state?.waiting?.reason;
  expect(await reason()).toBe("ErrImagePull");
  await node.advance(1_000);
  expect(await reason()).toBe("ImagePullBackOff");
  const events = await node.events();
  expect(events.find((e) => e.startsWith('Failed: Failed to pull image "nginx:1.27"'))).toMatch(
    /docker save nginx:1\.27 \| chainmail image load -.*there are app, proxy$/,
  );
  expect(events).toContain('BackOff: Back-off pulling image "nginx:1.27"');
  expect((await node.pod()).status?.phase).toBe("Pending");
});

test("an image that comes later starts its container at once; with pull policy Never as well", async () => {
  await node.createPod({
    containers: [
      { name: "app", image: "mine:1" },
      { name: "second", image: "mine:1", imagePullPolicy: "Never" },
    ],
  });
  await node.advance(60_000);
  expect((await node.pod()).status?.containerStatuses?.map((s) => s.state?.waiting?.reason)).toEqual(["ImagePullBackOff", "ErrImageNeverPull"]);
  node.ownImages.set("mine:1", { ...IMAGE, own: { digest: `sha256:${"1".repeat(64)}`, root: undefined, user: "", exposedPorts: [] } });
  node.agent.imagesChanged();
  await node.settle();
  expect((await node.pod()).status?.containerStatuses?.map((s) => [s.imageID, s.state?.running !== undefined])).toEqual(
    Array(2).fill([`app@sha256:${"1".repeat(64)}`, true]),
  );
});

test("an image of the user's own: root, users by its files, home, groups, stop signal", async () => {
  const root = join(node.stateDir, "image");
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:\nweb:x:101:102::/srv/web:\nproxy:x:1337:1337::/:\n");
  writeFileSync(join(root, "etc/group"), "web:x:102:\nlogs:x:200:web,other\n");
  const own = (user: string) => ({ ...IMAGE, own: { digest: "sha256:2", root, user, exposedPorts: [], stopSignal: "SIGQUIT" } });
  node.ownImages.set("mine:1", own("web"));
  node.ownImages.set("proxy:1", own("proxy"));
  node.runtime.endsOnTerm = false;
  await node.createPod({ securityContext: { fsGroup: 300 }, containers: [{ name: "app", image: "mine:1" }] });
  const { spec } = node.runtime.container("app");
  expect(spec).toMatchObject({ uid: 101, gid: 102, groups: [200, 300], root: { folder: root } });
  expect([spec.env["HOME"], existsSync(spec.root?.writable ?? "")]).toEqual(["/srv/web", true]);
  await node.api.delete(PODS, "web", "default");
  await node.advance(40_000);
  expect(node.runtime.container("app").signals).toEqual(["SIGQUIT", "SIGKILL"]);
  expect(existsSync(spec.root?.writable ?? "")).toBe(false);

  const message = async (securityContext: SecurityContext, image = "mine:1") => {
    await node.createPod(
      {
        containers: [
          { name: "app", image, securityContext },
          { name: "sidecar", image: "proxy" },
        ],
      },
      { name: `p${++pods}` },
    );
    return (await node.pod(`p${pods}`)).status?.containerStatuses?.find((s) => s.name === "app")?.state?.waiting?.message;
  };
  expect(await message({ runAsNonRoot: true })).toContain("image has non-numeric user (web), cannot verify user is non-root");
  expect(await message({ runAsNonRoot: true, runAsUser: 101 })).toBeUndefined();
  expect(await message({}, "proxy:1")).toContain("may not run as user or group 1337");
});

test("a new image for a live pod's container restarts that container alone", async () => {
  await node.createPod({
    containers: [
      { name: "app", image: "app:1" },
      { name: "other", image: "app:1" },
    ],
  });
  await node.api.patch(PODS, "web", "default", {
    spec: {
      containers: [
        { name: "app", image: "app:2" },
        { name: "other", image: "app:1" },
      ],
    },
  });
  await node.settle();
  expect(node.runtime.calls.filter((c) => c.startsWith("start"))).toEqual(["start app", "start other", "start app"]);
  expect((await node.pod()).status?.containerStatuses?.[0]).toMatchObject({ image: "app:2", restartCount: 1 });
});
