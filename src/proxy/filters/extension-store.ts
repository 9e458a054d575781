import type { Any } from "@bufbuild/protobuf/wkt";

/** Who runs a filter whose configuration is discovered: it makes ready what a configuration asks for, or throws. */
export interface ExtensionUser {
  /** Throws InvalidResource. The returned function puts the new configuration in force. */
  prepare(config: Any): () => void;
}

/** Filter configurations that come apart from their listeners (ECDS), by filter name. */
export class ExtensionStore {
  readonly #configs = new Map<string, Any>();
  readonly #users = new Map<string, Set<ExtensionUser>>();

  get(name: string): Any | undefined {
    return this.#configs.get(name);
  }

  has(name: string): boolean {
    return this.#configs.has(name);
  }

  /** In force for all users when this returns, or for none: one that cannot take it throws InvalidResource. */
  set(name: string, config: Any): void {
    const commits = [...(this.#users.get(name) ?? [])].map((user) => user.prepare(config));
    this.#configs.set(name, config);
    for (const commit of commits) commit();
  }

  /** Users go on with what they have. */
  remove(name: string): void {
    this.#configs.delete(name);
  }

  /** The returned function ends the use. */
  use(name: string, user: ExtensionUser): () => void {
    let users = this.#users.get(name);
    if (!users) this.#users.set(name, (users = new Set()));
    users.add(user);
    return () => void users.delete(user);
  }
}
