/** One operation of one service, whatever protocol told of it. */
export interface Span {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  /** Empty for the first span of a trace. */
  parentId: string;
  /** As the sender names itself: `web-api.istioinaction` of a proxy. */
  service: string;
  operation: string;
  kind: SpanKind;
  /** Microseconds since 1970. */
  start: number;
  /** Microseconds. */
  duration: number;
  failed: boolean;
  tags: Tag[];
  /** Of the process that sent it. */
  resource: Tag[];
  events: SpanEvent[];
}

export type SpanKind = "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";

export interface Tag {
  key: string;
  value: string | number | boolean;
}

export interface SpanEvent {
  /** Microseconds since 1970. */
  time: number;
  name: string;
  tags: Tag[];
}

/** Tags of a span beyond these are nobody's: they are cut, so that one sender cannot fill the store. */
const MAX_TAGS = 128;
/** Long enough for a URL with its query. */
const MAX_TEXT = 2_048;

/** A text that a sender gave, bounded. */
export function bounded(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

/** Tags that a sender gave, bounded in number and length. */
export function boundedTags(tags: readonly Tag[]): Tag[] {
  return tags.slice(0, MAX_TAGS).map(({ key, value }) => ({ key: bounded(key), value: typeof value === "string" ? bounded(value) : value }));
}

/** Digits of an id, padded on the left as short ids of Zipkin are; undefined where it is none. */
export function hexId(text: string, digits: 16 | 32): string | undefined {
  return /^[0-9a-f]{1,32}$/i.test(text) && text.length <= digits && !/^0+$/.test(text) ? text.toLowerCase().padStart(digits, "0") : undefined;
}
