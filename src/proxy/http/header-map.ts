/**
 * Headers in wire order. Names are lower-case; values are latin1 text as they came, one entry a line. Parallel arrays
 * and linear search: a request carries ten to twenty headers, where this beats a Map.
 */
export class HeaderMap {
  names: string[];
  values: string[];
  /** How names were written, by their lower-case form: only where a configuration asks to keep that. */
  cases: Map<string, string> | undefined;

  constructor(names: string[] = [], values: string[] = []) {
    this.names = names;
    this.values = values;
  }

  static from(entries: Iterable<readonly [string, string]>): HeaderMap {
    const map = new HeaderMap();
    for (const [name, value] of entries) map.append(name, value);
    return map;
  }

  get size(): number {
    return this.names.length;
  }

  has(name: string): boolean {
    return this.names.includes(name);
  }

  /** The first value of that name. */
  get(name: string): string | undefined {
    const at = this.names.indexOf(name);
    return at < 0 ? undefined : this.values[at];
  }

  /** All values of that name joined with commas, as Envoy's matchers see repeated headers. */
  getJoined(name: string): string | undefined {
    const { names, values } = this;
    let found: string | undefined;
    for (let i = 0; i < names.length; i++) {
      if (names[i] === name) found = found === undefined ? values[i] : `${found},${values[i]}`;
    }
    return found;
  }

  /** Replaces the value in its place, or adds the header at the end; further values of that name go. */
  set(name: string, value: string): void {
    const at = this.names.indexOf(name);
    if (at < 0) {
      this.names.push(name);
      this.values.push(value);
      return;
    }
    this.values[at] = value;
    for (let i = this.names.indexOf(name, at + 1); i >= 0; i = this.names.indexOf(name, i)) this.#removeAt(i);
  }

  /** Adds a line, whatever there is. */
  append(name: string, value: string): void {
    this.names.push(name);
    this.values.push(value);
  }

  /** Appends to the existing value with a comma, as Envoy does for headers that are one list. */
  appendToValue(name: string, value: string, separator = ","): void {
    const at = this.names.indexOf(name);
    if (at < 0) this.append(name, value);
    else if (this.values[at] === "") this.values[at] = value;
    else this.values[at] += separator + value;
  }

  remove(name: string): void {
    for (let i = this.names.indexOf(name); i >= 0; i = this.names.indexOf(name, i)) this.#removeAt(i);
  }

  clone(): HeaderMap {
    const copy = new HeaderMap(this.names.slice(), this.values.slice());
    copy.cases = this.cases;
    return copy;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (let i = 0; i < this.names.length; i++) yield [this.names[i] as string, this.values[i] as string];
  }

  /** The lines as HTTP/1 writes them, each with its CRLF. */
  toLines(): string {
    const { names, values } = this;
    let text = "";
    for (let i = 0; i < names.length; i++) text += `${names[i]}: ${values[i]}\r\n`;
    return text;
  }

  #removeAt(index: number): void {
    this.names.splice(index, 1);
    this.values.splice(index, 1);
  }
}

/** What a client asks, whatever HTTP version carried it. */
export interface RequestHead {
  method: string;
  /** Path and query, as they go upstream. Empty for CONNECT. */
  path: string;
  authority: string;
  /** `http` or `https`; empty until headers are completed, where an HTTP/1 client has not said it. */
  scheme: string;
  readonly protocol: HttpProtocol;
  headers: HeaderMap;
  /** The value of Upgrade when this asks for one (lower-case), or `connect`. */
  upgrade: string | undefined;
}

export interface ResponseHead {
  status: number;
  headers: HeaderMap;
}

export type HttpProtocol = "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";
