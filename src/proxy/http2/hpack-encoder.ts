import { STATIC_TABLE } from "./static-table.ts";

/** Indexes of whole static entries, by name and then value. */
const WHOLE = new Map<string, Map<string, number>>();
/** The bytes before a value: literal without indexing, with the name's static index where it has one. */
const PREFIXES = new Map<string, Buffer>();
/** Names come from configurations and peers: past so many they are written without being kept. */
const MAX_PREFIXES = 2048;

for (const [index, [name, value]] of STATIC_TABLE.entries()) {
  let values = WHOLE.get(name);
  if (!values) WHOLE.set(name, (values = new Map()));
  if (value !== "") values.set(value, index + 1);
  if (!PREFIXES.has(name)) PREFIXES.set(name, Buffer.from(integer(0x0f, name === "authorization" ? 0x10 : 0x00, index + 1)));
}

/** The most that a field takes: its strings, and three integers of up to five bytes. */
export function fieldBound(name: string, value: string): number {
  return name.length + value.length + 15;
}

/**
 * Writes a field at `at` and returns the end. Nothing is put into a dynamic table: it saves the peer's work and ours more
 * than it costs in bytes, and sidecars speak over loopback and local networks.
 */
export function writeField(out: Buffer, at: number, name: string, value: string): number {
  const index = WHOLE.get(name)?.get(value);
  let to = at;
  if (index !== undefined) {
    out[to++] = 0x80 | index;
    return to;
  }
  let prefix = PREFIXES.get(name);
  if (!prefix) {
    prefix = Buffer.concat([Buffer.from([0, ...integer(0x7f, 0, name.length)]), Buffer.from(name, "latin1")]);
    if (PREFIXES.size < MAX_PREFIXES) PREFIXES.set(name, prefix);
  }
  out.set(prefix, to);
  to += prefix.length;
  const { length } = value;
  if (length < 0x7f) out[to++] = length;
  else for (const byte of integer(0x7f, 0, length)) out[to++] = byte;
  return to + out.write(value, to, "latin1");
}

function integer(mask: number, pattern: number, value: number): number[] {
  if (value < mask) return [pattern | value];
  const bytes = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
