/**
 * What is wrong with an object, collected as istiod collects it: one problem is shown as it is, several (or one out of a
 * check that always makes a list) as a list. The texts must come out as istiod's, since people search for them.
 */
export class Findings {
  #errors: string[] = [];
  #list = false;
  #warnings: string[] = [];

  error(...texts: (string | undefined)[]): this {
    for (const text of texts) {
      if (text === undefined) continue;
      if (this.#errors.length > 0) this.#list = true;
      this.#errors.push(text);
    }
    return this;
  }

  /** Errors that are shown as a list even when there is only one. */
  errorList(texts: string[]): this {
    if (texts.length > 0) {
      this.#list = true;
      this.#errors.push(...texts);
    }
    return this;
  }

  warn(...texts: (string | undefined)[]): this {
    for (const text of texts) if (text !== undefined) this.#warnings.push(text);
    return this;
  }

  /** Takes over what another check found, warnings included. */
  add(...others: (Findings | undefined)[]): this {
    for (const other of others) {
      if (!other) continue;
      this.#takeErrors(other);
      this.#warnings.push(...other.#warnings);
    }
    return this;
  }

  /** The errors only: some of istiod's checks drop what the ones below them warn of. */
  addErrors(...others: (Findings | undefined)[]): this {
    for (const other of others) if (other) this.#takeErrors(other);
    return this;
  }

  prefixed(prefix: string): this {
    this.#errors = this.#errors.map((text) => `${prefix} ${text}`);
    return this;
  }

  /** undefined when there is no error. */
  get text(): string | undefined {
    if (this.#errors.length === 0) return undefined;
    return this.#list ? listText(this.#errors) : this.#errors[0];
  }

  get errors(): readonly string[] {
    return this.#errors;
  }

  get warnings(): string[] {
    return this.#warnings;
  }

  #takeErrors(other: Findings): void {
    if (other.#errors.length === 0) return;
    this.#list = this.#list || other.#list || this.#errors.length > 0;
    this.#errors.push(...other.#errors);
  }
}

/** The form of hashicorp/go-multierror. */
export function listText(texts: string[]): string {
  return `${texts.length} ${texts.length === 1 ? "error" : "errors"} occurred:\n${texts.map((text) => `\t* ${text}\n`).join("")}\n`;
}

/** Go's %q of plain text. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

export function sortedEntries<T>(record: Record<string, T> | undefined): [string, T][] {
  return Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
