import { readFileSync, statSync } from "node:fs";
import type { Clock } from "../../base/index.ts";
import { splitCertificates } from "../../pki/index.ts";

/**
 * The mesh's roots as the kubelet mounts them. ConfigMap volumes change by swapping a symbolic link, which file watches
 * miss; looking at the file's identity every few seconds does not.
 */
export class TrustBundleFile {
  #identity = "";
  #cancel: () => void = () => {};

  constructor(
    private readonly path: string,
    private readonly clock: Clock,
  ) {}

  /** PEM, as it stands now. Throws when there is none: the pod cannot know its control plane yet. */
  read(): string {
    return readFileSync(this.path, "utf8");
  }

  /** As `read`; empty when there is no such file. */
  text(): string {
    try {
      return this.read();
    } catch {
      return "";
    }
  }

  /** One PEM text a root; empty while the file is missing or half written. */
  roots(): string[] {
    try {
      return splitCertificates(this.read());
    } catch {
      return [];
    }
  }

  /** Calls back when the file has changed; the returned function stops. */
  watch(onChange: () => void): () => void {
    this.#identity = this.#look();
    const tick = (): void => {
      const identity = this.#look();
      if (identity !== this.#identity) {
        this.#identity = identity;
        onChange();
      }
      this.#cancel = this.clock.after(LOOK_EVERY_MS, tick);
    };
    this.#cancel = this.clock.after(LOOK_EVERY_MS, tick);
    return () => this.#cancel();
  }

  #look(): string {
    try {
      const { dev, ino, mtimeMs, size } = statSync(this.path);
      return `${dev} ${ino} ${mtimeMs} ${size}`;
    } catch {
      return "";
    }
  }
}

/** A kubelet takes up to a minute to update a volume; five seconds more go unnoticed, and a stat costs a microsecond. */
const LOOK_EVERY_MS = 5_000;
