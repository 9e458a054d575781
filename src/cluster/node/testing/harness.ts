import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, FakeClock } from "../../../base/index.ts";
import { EVENTS, PODS } from "../../../kube/index.ts";
import type { Event, Pod, PodSpec } from "../../../resources/index.ts";
import { createCatalogue, type Image } from "../../images/index.ts";
import { startNodeAgent, type NodeAgent } from "../agent.ts";
import { LocalFolders } from "../volumes/local-folders.ts";
import { FakeApi } from "./fake-api.ts";
import { FakeRuntime } from "./fake-runtime.ts";

/** What images have in common here. */
export const IMAGE: Image = {
  repository: "app",
  entrypoint: ["/bin/program"],
  cmd: ["default"],
  env: { FROM_IMAGE: "1" },
  workingDir: "/work",
  files: [],
  proxy: false,
};

const image = (repository: string, extra: Partial<Image> = {}): Image => ({
  ...IMAGE,
  repository,
  ...extra,
});

/** A node agent over fakes, with a clock that tests move. */
export class NodeHarness {
  readonly clock = new FakeClock(Date.parse("2026-11-24T08:00:00Z"));
  readonly api = new FakeApi(() => this.clock.now());
  runtime = new FakeRuntime();
  readonly stateDir = mkdtempSync(join(tmpdir(), "chainmail-node-"));
  readonly localFolders = new LocalFolders(join(this.stateDir, "claims"));
  /** By the reference that finds them. */
  readonly ownImages = new Map<string, Image>();
  agent!: NodeAgent;

  async start(): Promise<this> {
    this.agent = startNodeAgent({
      client: this.api,
      runtime: this.runtime,
      catalogue: createCatalogue([image("app"), image("proxy", { proxy: true, user: { uid: 1337, gid: 1337 } })], {
        find: (name) => this.ownImages.get(name),
        names: () => [...this.ownImages.keys()],
      }),
      nodeName: "chainmail",
      hostIP: "192.0.2.1",
      stateDir: this.stateDir,
      log: createLogger("test", { level: "none" }),
      clock: this.clock,
      localFolders: this.localFolders,
    });
    await this.agent.ready;
    return this;
  }

  /** The cluster dies and comes back: same API objects, nothing that ran. */
  async restart(): Promise<void> {
    this.agent.stop();
    this.runtime = new FakeRuntime();
    await this.start();
    await this.settle();
  }

  stop(): void {
    this.agent.stop();
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  async createPod(spec: Partial<PodSpec>, metadata: Partial<Pod["metadata"]> = {}): Promise<void> {
    await this.api.create<Pod>(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web", namespace: "default", ...metadata },
      spec: { nodeName: "chainmail", containers: [{ name: "app", image: "app" }], ...spec },
    });
    await this.settle();
  }

  /** Lets everything that is not waiting for the clock happen. */
  async settle(): Promise<void> {
    for (let i = 0; i < 60; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves the clock in steps, since what a timer starts may set the next one. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    const step = Math.max(500, ms / 20);
    for (let left = ms; left > 0; left -= step) {
      this.clock.advance(Math.min(step, left));
      await this.settle();
    }
  }

  async pod(name = "web"): Promise<Pod> {
    return this.api.get<Pod>(PODS, name, "default");
  }

  async events(): Promise<string[]> {
    const { items } = await this.api.list<Event>(EVENTS);
    return items.map((e) => `${e.reason}${(e.count ?? 1) > 1 ? ` x${e.count}` : ""}: ${e.message}`);
  }

  condition(pod: Pod, type: string): string {
    const found = pod.status?.conditions?.find((c) => c.type === type);
    return [found?.status, found?.reason].filter(Boolean).join(" ");
  }
}
