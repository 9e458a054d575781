import { Memo } from "../memo.ts";
import type { ProxyContext } from "../proxy.ts";
import type { XdsResource } from "../types.ts";
import { extensionsFor, type Extension } from "./extensions.ts";
import { extensionConfig } from "./filters.ts";

/** Makes the configurations of extensions that proxies ask for by name. */
export class ExtensionGenerator {
  readonly #configs = new Memo<XdsResource | undefined>();

  generate({ mesh, node }: ProxyContext, names: readonly string[]): XdsResource[] {
    if (names.length === 0) return [];
    const wanted = new Set(names);
    const found = extensionsFor(mesh.snapshot.configs, node, mesh.config.rootNamespace).filter(({ resourceName }) => wanted.has(resourceName));
    return found.map((extension) => this.#configOf(extension)).filter((config) => config !== undefined);
  }

  #configOf(extension: Extension): XdsResource | undefined {
    return this.#configs.get([JSON.stringify(extension)], () => extensionConfig(extension));
  }
}
