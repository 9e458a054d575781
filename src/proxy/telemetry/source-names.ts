/** Beyond so many source addresses, further ones are counted as `other`: a scan must not fill the metrics store. */
const MAX_SOURCES = 256;

/** Which addresses have a series of their own. */
export class SourceNames {
  readonly #known = new Set<string>();

  name(sourceIp: string): string {
    if (this.#known.has(sourceIp)) return sourceIp;
    if (this.#known.size >= MAX_SOURCES) return "other";
    this.#known.add(sourceIp);
    return sourceIp;
  }
}
