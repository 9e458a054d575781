/** Exporters by what they are configured with: many listeners that report to one collector share a queue and a call. */
export class SharedExporters {
  readonly #exporters = new Map<string, { stop(): void }>();

  /** `key` must tell apart what is configured differently, the kind of exporter included. */
  get<T extends { stop(): void }>(key: string, make: () => T): T {
    let exporter = this.#exporters.get(key) as T | undefined;
    if (!exporter) {
      exporter = make();
      this.#exporters.set(key, exporter);
    }
    return exporter;
  }

  stop(): void {
    for (const exporter of this.#exporters.values()) exporter.stop();
    this.#exporters.clear();
  }
}
