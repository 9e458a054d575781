import type { Secret, SecretProvider } from "../types.ts";

export interface StoredSecret {
  readonly name: string;
  readonly secret: Secret;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly lastUpdated: number;
}

/** Secrets by SDS name with their watchers; whoever obtains secrets (agent, SDS over ADS, bootstrap) puts them in. */
export class SecretStore implements SecretProvider {
  readonly #secrets = new Map<string, StoredSecret>();
  readonly #watchers = new Map<string, Set<(secret: Secret | undefined) => void>>();

  get(name: string): Secret | undefined {
    return this.#secrets.get(name)?.secret;
  }

  list(): StoredSecret[] {
    return [...this.#secrets.values()];
  }

  set(name: string, secret: Secret, version: string, now: number): void {
    this.#secrets.set(name, { name, secret, version, lastUpdated: now });
    this.#notify(name, secret);
  }

  remove(name: string): void {
    if (this.#secrets.delete(name)) this.#notify(name, undefined);
  }

  watch(name: string, onChange: (secret: Secret | undefined) => void): () => void {
    const watchers = this.#watchers.get(name) ?? new Set();
    this.#watchers.set(name, watchers);
    watchers.add(onChange);
    return () => {
      watchers.delete(onChange);
      if (watchers.size === 0) this.#watchers.delete(name);
    };
  }

  #notify(name: string, secret: Secret | undefined): void {
    // A copy: watchers come and go while they are told.
    for (const watcher of Array.from(this.#watchers.get(name) ?? [])) watcher(secret);
  }
}
