import { useCallback, useState, useSyncExternalStore } from "react";

/** The latest of one watched answer. */
export interface Watched<T> {
  data: T | undefined;
  /** Unix ms of `data`; 0 before the first. */
  time: number;
  /** Set while the answer cannot be worked out; `data` is then the last good one. */
  problem: { message: string; hint?: string } | undefined;
}

const NOTHING: Watched<never> = { data: undefined, time: 0, problem: undefined };
/** Pages subscribe one after another as they are drawn: the stream is opened once for all. */
const OPEN_DELAY_MS = 20;
/** EventSource gives up on an answer that is no stream, such as a tunnel's error page; we do not. */
const RETRY_MS = 1_500;

/** The page's one stream: everything on it that is live comes over this. */
class LiveStream {
  readonly #watched = new Map<string, { state: Watched<unknown>; listeners: Set<() => void> }>();
  readonly #connection = new Set<() => void>();
  #source: EventSource | undefined;
  #opened = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #connected = false;

  get connected(): boolean {
    return this.#connected;
  }

  state(path: string): Watched<unknown> {
    return this.#watched.get(path)?.state ?? NOTHING;
  }

  subscribe(path: string, listener: () => void): () => void {
    let entry = this.#watched.get(path);
    if (!entry) this.#watched.set(path, (entry = { state: NOTHING, listeners: new Set() }));
    entry.listeners.add(listener);
    this.#openSoon(OPEN_DELAY_MS);
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0) return;
      // A page that comes back within the delay (a filter typed in) finds its data still there.
      this.#openSoon(OPEN_DELAY_MS);
    };
  }

  onConnection(listener: () => void): () => void {
    this.#connection.add(listener);
    return () => this.#connection.delete(listener);
  }

  #openSoon(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  #open(): void {
    for (const [path, entry] of this.#watched) if (entry.listeners.size === 0) this.#watched.delete(path);
    const wanted = [...this.#watched.keys()].sort();
    const url = `/kiali/api/live?${wanted.map((path) => `watch=${encodeURIComponent(path)}`).join("&")}`;
    if (url === this.#opened && this.#source && this.#source.readyState !== EventSource.CLOSED) return;
    this.#source?.close();
    this.#opened = url;
    if (wanted.length === 0) return;
    const source = new EventSource(url);
    this.#source = source;
    source.onopen = () => this.#setConnected(true);
    source.onerror = () => {
      this.#setConnected(false);
      if (source.readyState === EventSource.CLOSED && source === this.#source) this.#openSoon(RETRY_MS);
    };
    source.addEventListener("update", (event) => {
      const { watch, time, data } = JSON.parse(event.data) as { watch: string; time: number; data: unknown };
      this.#set(watch, { data, time, problem: undefined });
    });
    source.addEventListener("problem", (event) => {
      const { watch, message, hint } = JSON.parse(event.data) as { watch: string; message: string; hint?: string };
      this.#set(watch, { ...this.state(watch), problem: { message, ...(hint && { hint }) } });
    });
  }

  #set(path: string, state: Watched<unknown>): void {
    const entry = this.#watched.get(path);
    if (!entry) return;
    entry.state = state;
    for (const listener of entry.listeners) listener();
  }

  #setConnected(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    for (const listener of this.#connection) listener();
  }
}

const stream = new LiveStream();

/** One answer of the API, kept current while the component is on the page. */
export function useWatch<T>(path: string): Watched<T> {
  const subscribe = useCallback((listener: () => void) => stream.subscribe(path, listener), [path]);
  return useSyncExternalStore(subscribe, () => stream.state(path)) as Watched<T>;
}

export function useConnected(): boolean {
  return useSyncExternalStore(
    (listener) => stream.onConnection(listener),
    () => stream.connected,
  );
}

/** A choice that outlives the page. */
export function useStored<T>(name: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => readStored(name) ?? initial);
  return [
    value,
    (next) => {
      setValue(next);
      writeStored(name, next);
    },
  ];
}

export function readStored<T>(name: string): T | undefined {
  try {
    const stored = localStorage.getItem(`chainmail.${name}`);
    return stored === null ? undefined : (JSON.parse(stored) as T);
  } catch {
    // Storage may be off, or hold what another version wrote: the default serves.
    return undefined;
  }
}

export function writeStored(name: string, value: unknown): void {
  try {
    localStorage.setItem(`chainmail.${name}`, JSON.stringify(value));
  } catch {
    // Without storage a choice lasts as long as the page.
  }
}
