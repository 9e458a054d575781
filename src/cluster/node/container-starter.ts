import { ChainmailError, errorText } from "../../base/index.ts";
import type { Container, EphemeralContainer, Pod } from "../../resources/index.ts";
import type { Image } from "../images/types.ts";
import type { ContainerSpec, RunningContainer, Sandbox } from "../runtime/types.ts";
import { Backoff } from "./backoff.ts";
import { containerSpec } from "./container-spec.ts";
import { ContainerUnit, containerId, imageId } from "./container-unit.ts";
import type { NodeContext } from "./context.ts";
import { buildEnv, configError } from "./env.ts";
import { containerFieldPath, type PodEvent } from "./events.ts";
import type { PodFolders } from "./folders.ts";
import { containerOf, type ContainerRecord, type Exit } from "./records.ts";
import { refusedRights } from "./security.ts";
import { serviceEnv } from "./service-env.ts";
import type { MountedVolume } from "./volumes/mounted.ts";

/** How long ErrImagePull shows before it becomes ImagePullBackOff: long enough to be seen by a watch. */
const IMAGE_ERROR_SHOWN_MS = 1000;
/** As many names as an event can be read with. */
const MAX_NAMES = 20;
/** A container whose settings are wrong is looked at again this often, besides at each change of a ConfigMap or Secret. */
const CONFIG_RETRY_MS = 10_000;

export interface StarterCallbacks {
  event(event: PodEvent): void;
  onChange(): void;
  onExit(record: ContainerRecord, exit: Exit): void;
  /** A probe says that the container must be restarted, with a grace period of its own perhaps. */
  onKill(record: ContainerRecord, graceSeconds: number | undefined): void;
}

export interface StartInput {
  pod: Pod;
  record: ContainerRecord;
  sandbox: Sandbox;
  volumes: ReadonlyMap<string, MountedVolume>;
  podFiles: { hosts: string; hostname: string; resolvConf: string };
  folders: PodFolders;
  /** The id of a running container of the pod. */
  runningId(name: string): string | undefined;
}

interface Hold {
  kind: "image" | "config";
  until: number;
}

/** Starts a pod's containers: image, settings, back-off, and the record and events that tell of it. */
export class ContainerStarter {
  readonly #crashes = new Map<string, Backoff>();
  readonly #images = new Map<string, Backoff>();
  readonly #holds = new Map<string, Hold>();

  constructor(
    readonly context: NodeContext,
    readonly callbacks: StarterCallbacks,
  ) {}

  /** Milliseconds until the container may be started (again). */
  remaining(record: ContainerRecord): number {
    const now = this.context.clock.now();
    const hold = this.#holds.get(record.name);
    if (hold && hold.until > now) return hold.until - now;
    const exit = record.phase.kind === "terminated" ? record.phase.exit : record.last;
    return exit ? (this.#crashes.get(record.name)?.remaining(exit.finishedAt, now) ?? 0) : 0;
  }

  /** Lets containers whose settings were wrong try again at once. Answers whether there were any. */
  releaseConfigHolds(): boolean {
    return this.#release("config");
  }

  /** The same for containers that wait for an image that is there now. */
  releaseImageHolds(pod: Pod): boolean {
    return this.#release("image", (name) => this.context.catalogue.resolve(containerOf(pod, name)?.image ?? "") !== undefined);
  }

  /** Puts the reason for waiting into the record of a container that is not due yet. */
  showWaiting(pod: Pod, record: ContainerRecord): void {
    if ((this.#holds.get(record.name)?.until ?? 0) > this.context.clock.now()) return;
    const backoff = this.#crashes.get(record.name);
    if (record.phase.kind !== "terminated" || !backoff) return;
    const { name, namespace, uid } = pod.metadata;
    record.last = record.phase.exit;
    record.phase = {
      kind: "waiting",
      reason: "CrashLoopBackOff",
      message: `back-off ${backoff.text} restarting failed container=${record.name} pod=${name}_${namespace}(${uid})`,
    };
    this.#event(record, "Warning", "BackOff", `Back-off restarting failed container ${record.name} in pod ${name}_${namespace}(${uid})`);
  }

  /** Undefined when it could not be started: the record says why and `remaining` when to try again. */
  async start(input: StartInput): Promise<ContainerUnit | undefined> {
    const { pod, record } = input;
    const container = containerOf(pod, record.name);
    if (!container) return undefined;
    const image = this.context.catalogue.resolve(container.image ?? "");
    if (!image) return this.#imageMissing(record, container);
    this.#images.delete(record.name);

    const attempt = record.starts;
    const terminationLog = input.folders.makeTerminationLog(record.name, attempt);
    const spec = this.#buildSpec(input, container, image, attempt, terminationLog);
    if (!spec) return undefined;
    this.#holds.delete(record.name);
    record.image = container.image ?? "";
    record.imageId = imageId(image);
    if (record.begun) this.#crash(record.name).next(this.context.clock.now());

    this.#event(record, "Normal", "Pulled", `Container image "${container.image}" already present on machine`);
    const refused = refusedRights(container, image);
    if (refused.length > 0) {
      this.#event(
        record,
        "Warning",
        "RightsNotGranted",
        `Container ${record.name} runs without ${refused.join(", ")}: containers on this node get no capabilities`,
      );
    }
    this.#tellUnenforced(record, image, spec);
    let handle: RunningContainer;
    try {
      handle = await this.context.runtime.startContainer(input.sandbox.id, spec);
    } catch (thrown) {
      this.#notStarted(record, containerId(spec.id), errorText(thrown));
      return undefined;
    }
    const startedAt = this.context.clock.now();
    this.#began(record);
    record.phase = { kind: "running", startedAt, containerId: containerId(spec.id), started: false, ready: false };
    this.#event(record, "Normal", "Created", `Created container: ${record.name}`);
    this.#event(record, "Normal", "Started", `Started container ${record.name}`);
    return new ContainerUnit(this.context, container, image, record, spec, handle, input.sandbox.ip, terminationLog, startedAt, {
      onChange: this.callbacks.onChange,
      onExit: (exit) => this.callbacks.onExit(record, exit),
      onUnhealthy: (kind, message) => this.#event(record, "Warning", "Unhealthy", `${kind} probe failed: ${message}`),
      onKill: (kind, probe) => {
        this.#event(record, "Normal", "Killing", `Container ${record.name} failed ${kind.toLowerCase()} probe, will be restarted`);
        this.callbacks.onKill(record, probe.terminationGracePeriodSeconds);
      },
      onHookFailed: (hook, message) => this.#event(record, "Warning", `Failed${hook}Hook`, `${hook}Hook failed: ${message}`),
    });
  }

  #release(kind: Hold["kind"], which: (container: string) => boolean = () => true): boolean {
    const held = [...this.#holds].filter(([name, hold]) => hold.kind === kind && which(name));
    for (const [name] of held) this.#holds.delete(name);
    return held.length > 0;
  }

  #buildSpec(input: StartInput, container: EphemeralContainer, image: Image, attempt: number, terminationLog: string) {
    const { pod, record, sandbox } = input;
    const { context } = this;
    try {
      const { env, skipped } = buildEnv({
        pod,
        container,
        addresses: { podIP: sandbox.ip, hostIP: context.hostIP },
        capacity: context.capacity,
        source: context.source,
        imageEnv: image.env,
        serviceEnv: serviceEnv(context.services(), {
          namespace: pod.metadata.namespace ?? "default",
          links: pod.spec?.enableServiceLinks ?? true,
          kubernetes: context.kubernetes,
        }),
      });
      if (skipped.length > 0) {
        this.#event(
          record,
          "Warning",
          "InvalidEnvironmentVariableNames",
          `Keys [${skipped.join(", ")}] were skipped since they are invalid environment variable names.`,
        );
      }
      return containerSpec({
        pod,
        container,
        image,
        catalogue: context.catalogue,
        attempt,
        env,
        volumes: input.volumes,
        podFiles: input.podFiles,
        terminationLog,
        logPath: input.folders.prepareLog(record.name, attempt),
        ...this.#joins(input, container),
        makeRoot: () => input.folders.makeRoot(record.name, attempt),
      });
    } catch (thrown) {
      if (!(thrown instanceof ChainmailError)) throw thrown;
      this.#holds.set(record.name, { kind: "config", until: context.clock.now() + CONFIG_RETRY_MS });
      this.#wait(record, "CreateContainerConfigError", thrown.message);
      this.#event(record, "Warning", "Failed", `Error: ${thrown.message}`);
      return undefined;
    }
  }

  /** First ErrImagePull, then ImagePullBackOff with growing waits; each attempt looks into the catalogue again. */
  #imageMissing(record: ContainerRecord, container: Container): undefined {
    const now = this.context.clock.now();
    if (container.imagePullPolicy === "Never") {
      const message = `Container image "${container.image}" is not present with pull policy of Never`;
      this.#wait(record, "ErrImageNeverPull", message);
      this.#event(record, "Warning", "ErrImageNeverPull", message);
      this.#event(record, "Warning", "Failed", "Error: ErrImageNeverPull");
      this.#holds.set(record.name, { kind: "image", until: now + CONFIG_RETRY_MS });
      return undefined;
    }
    let backoff = this.#images.get(record.name);
    const inBackOff = record.phase.kind === "waiting" && record.phase.reason === "ErrImagePull" && backoff !== undefined;
    if (inBackOff && backoff) {
      const message = `Back-off pulling image "${container.image}"`;
      this.#wait(record, "ImagePullBackOff", `${message}: ${missingImageText(container.image, this.context)}`);
      this.#event(record, "Normal", "BackOff", message);
      this.#event(record, "Warning", "Failed", "Error: ImagePullBackOff");
      this.#holds.set(record.name, { kind: "image", until: now + Math.max(1, backoff.remaining(now, now)) });
      return undefined;
    }
    if (!backoff) this.#images.set(record.name, (backoff = new Backoff()));
    backoff.next(now);
    const message = missingImageText(container.image, this.context);
    this.#event(record, "Normal", "Pulling", `Pulling image "${container.image}"`);
    this.#event(record, "Warning", "Failed", `Failed to pull image "${container.image}": ${message}`);
    this.#event(record, "Warning", "Failed", "Error: ErrImagePull");
    this.#wait(record, "ErrImagePull", message);
    this.#holds.set(record.name, { kind: "image", until: now + IMAGE_ERROR_SHOWN_MS });
    return undefined;
  }

  /** Of the user's own containers only: the proxy's limits come with its injection and guard nothing here. */
  #tellUnenforced(record: ContainerRecord, image: Image, { limits }: ContainerSpec): void {
    if (!limits || image.proxy || record.starts > 0) return;
    const { runtime } = this.context;
    const free = [
      ...(limits.memory !== undefined && !runtime.enforces?.("memory") ? ["memory"] : []),
      ...(limits.cpus !== undefined && !runtime.enforces?.("cpu") ? ["cpu"] : []),
    ];
    if (free.length === 0) return;
    const hint = "no control group is delegated to the cluster; as root, or by systemd-run --user --scope -p Delegate=yes chainmail up, it has one";
    this.#event(record, "Warning", "LimitsNotEnforced", `Container ${record.name} is not held to its limits of ${free.join(" and ")}: ${hint}`);
  }

  #joins(input: StartInput, { targetContainerName: target }: EphemeralContainer): { joins?: string } {
    if (!target) return {};
    const id = input.runningId(target);
    if (id === undefined) throw configError(`unable to find target container ${target}: it is not running`);
    return { joins: id };
  }

  #notStarted(record: ContainerRecord, id: string, message: string): void {
    const now = this.context.clock.now();
    this.#began(record);
    record.phase = { kind: "terminated", exit: { exitCode: 128, reason: "StartError", message, finishedAt: now, containerId: id } };
    this.#event(record, "Warning", "Failed", `Error: ${message}`);
  }

  #began(record: ContainerRecord): void {
    if (record.phase.kind === "terminated") record.last = record.phase.exit;
    record.starts += 1;
    record.begun = true;
  }

  #wait(record: ContainerRecord, reason: string, message: string): void {
    if (record.phase.kind === "terminated") record.last = record.phase.exit;
    record.phase = { kind: "waiting", reason, message };
  }

  #crash(name: string): Backoff {
    let backoff = this.#crashes.get(name);
    if (!backoff) this.#crashes.set(name, (backoff = new Backoff()));
    return backoff;
  }

  #event(record: ContainerRecord, type: PodEvent["type"], reason: string, message: string): void {
    this.callbacks.event({ type, reason, message, ...containerFieldPath(record) });
  }
}

function missingImageText(image: string | undefined, context: NodeContext): string {
  const name = image ?? "";
  const known = [...new Set([...(context.catalogue.ownNames?.() ?? []), ...context.catalogue.list().map((i) => i.repository)])].sort();
  const shown = known.length > MAX_NAMES ? `${known.slice(0, MAX_NAMES).join(", ")}, …` : known.join(", ");
  return (
    `image "${name}" is not on this machine and nothing is downloaded; bring it with: docker save ${name} | chainmail image load - ` +
    `(or run a program under its name: chainmail image add ${name} --exec "node server.js" --cwd ./app); there are ${shown}`
  );
}
