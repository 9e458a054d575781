import { ChainmailError } from "../../../base/index.ts";
import { cutShort, type ByteSource } from "./byte-source.ts";

export type TarType = "file" | "link" | "symlink" | "folder" | "device" | "fifo";

export interface TarEntry {
  /** As it stands in the archive: not to be trusted as a path. */
  name: string;
  type: TarType;
  /** Permission bits, setuid, setgid and sticky included. */
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Seconds since the epoch. */
  mtime: number;
  linkName: string;
  /** Where the content begins in the source. */
  offset: number;
  /** The content, to be read before the next entry is asked for; what is left is skipped. */
  content(): AsyncGenerator<Uint8Array>;
}

const BLOCK = 512;
/** Extended headers hold names and times: a megabyte is more than any path may have. */
const MAX_EXTENSION = 1 << 20;
const MAX_NAME = 4096;
const TYPES: Record<string, TarType> = {
  "": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "device",
  "4": "device",
  "5": "folder",
  "6": "fifo",
};

type Extension = Map<string, string>;

/**
 * The entries of a tar archive: ustar, GNU's long names, pax. Throws ARCHIVE_DAMAGED, ARCHIVE_CUT_SHORT, or
 * ARCHIVE_UNSUPPORTED for sparse files. Names that are no UTF-8 come with replacement characters.
 */
export async function* readTar(source: ByteSource): AsyncGenerator<TarEntry> {
  const global: Extension = new Map();
  let next: Extension = new Map();
  for (;;) {
    const header = await source.read(BLOCK);
    if (header.length === 0 || isZero(header)) return; // Some writers leave out the two empty blocks.
    if (header.length < BLOCK) throw cutShort();
    checkSum(header);
    const flag = text(header, 156, 1);
    const size = next.has("size") ? decimal(next.get("size")) : number(header, 124, 12);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      const body = Buffer.from(await extension(source, number(header, 124, 12)));
      if (flag === "L") next.set("path", cString(body));
      else if (flag === "K") next.set("linkpath", cString(body));
      else for (const [key, value] of paxRecords(body)) (flag === "g" ? global : next).set(key, value);
      continue;
    }
    const fields = new Map([...global, ...next]);
    next = new Map();
    const type = TYPES[flag];
    if (flag === "S" || [...fields.keys()].some((key) => key.startsWith("GNU.sparse.")))
      throw new ChainmailError("ARCHIVE_UNSUPPORTED", "the archive holds a sparse file");
    if (type === undefined) {
      if (flag === "V" || flag === "M" || flag === "N") {
        await skipPadded(source, size); // A volume's label and the like.
        continue;
      }
      throw damaged(`an entry has the unknown type ${JSON.stringify(flag)}`);
    }
    const entry = describe(header, fields, type, size, source);
    const end = source.position + padded(entry.size);
    yield entry;
    await source.skip(end - source.position);
  }
}

function describe(header: Uint8Array, fields: Extension, type: TarType, size: number, source: ByteSource): TarEntry {
  const prefix = text(header, 257, 5) === "ustar" && text(header, 257, 8) !== "ustar  " ? text(header, 345, 155) : "";
  const short = text(header, 0, 100);
  const name = fields.get("path") ?? (prefix ? `${prefix}/${short}` : short);
  const linkName = fields.get("linkpath") ?? text(header, 157, 100);
  if (name.length > MAX_NAME || linkName.length > MAX_NAME) throw damaged(`a path is longer than ${MAX_NAME} characters`);
  // Links may carry the size of what they name, without content.
  const length = type === "file" ? size : 0;
  // Old writers mark a folder by its name alone.
  const kind = type === "file" && name.endsWith("/") ? "folder" : type;
  const offset = source.position;
  return {
    name,
    type: kind,
    mode: number(header, 100, 8) & 0o7777,
    uid: fields.has("uid") ? decimal(fields.get("uid")) : number(header, 108, 8),
    gid: fields.has("gid") ? decimal(fields.get("gid")) : number(header, 116, 8),
    size: length,
    mtime: fields.has("mtime") ? Math.floor(Number(fields.get("mtime"))) || 0 : signed(header, 136, 12),
    linkName,
    offset,
    content: () => source.pieces(offset + length - source.position),
  };
}

async function extension(source: ByteSource, size: number): Promise<Uint8Array> {
  if (size > MAX_EXTENSION) throw damaged(`an extended header has ${size} bytes`);
  const body = await source.read(size);
  if (body.length < size) throw cutShort();
  await source.skip(padded(size) - size);
  return body;
}

/** Records of `<length> <key>=<value>\n`, the length counting the whole record. */
function* paxRecords(body: Buffer): Generator<[string, string]> {
  for (let start = 0; start < body.length;) {
    const space = body.indexOf(32, start);
    const length = Number(body.toString("latin1", start, space));
    const end = start + length;
    const equals = body.indexOf(61, space);
    if (space < 0 || !Number.isSafeInteger(length) || length < 5 || end > body.length || equals < 0 || equals >= end || body[end - 1] !== 10)
      throw damaged("an extended header is malformed");
    yield [body.toString("utf8", space + 1, equals), body.toString("utf8", equals + 1, end - 1)];
    start = end;
  }
}

async function skipPadded(source: ByteSource, size: number): Promise<void> {
  await source.skip(padded(size));
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function checkSum(header: Uint8Array): void {
  let sum = 0;
  // The field itself counts as spaces.
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (header[i] ?? 0);
  if (sum !== number(header, 148, 8)) throw damaged("a header's checksum is wrong");
}

/** Octal text, or GNU's binary form for what does not fit. */
function number(header: Uint8Array, start: number, length: number): number {
  const value = signed(header, start, length);
  if (value < 0) throw damaged("a header holds a negative number");
  return value;
}

function signed(header: Uint8Array, start: number, length: number): number {
  const value = (header[start] ?? 0) & 0x80 ? binary(header, start, length) : octal(header, start, length);
  if (!Number.isSafeInteger(value)) throw damaged("a header's number is out of range");
  return value;
}

function octal(header: Uint8Array, start: number, length: number): number {
  const digits = text(header, start, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw damaged("a header's number is no octal number");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** Two's complement, big-endian, whose top bit only marks the form. */
function binary(header: Uint8Array, start: number, length: number): number {
  let bits = 0n;
  for (let i = 0; i < length; i++) bits = (bits << 8n) | BigInt(header[start + i] ?? 0);
  return Number(BigInt.asIntN(length * 8 - 1, bits));
}

function decimal(value: string | undefined): number {
  const parsed = Number(value);
  if (!/^\d+$/.test(value ?? "") || !Number.isSafeInteger(parsed)) throw damaged("an extended header's number is out of range");
  return parsed;
}

function text(header: Uint8Array, start: number, length: number): string {
  return cString(Buffer.from(header.buffer, header.byteOffset + start, length));
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

function damaged(what: string): ChainmailError {
  return new ChainmailError("ARCHIVE_DAMAGED", `this is no sound tar archive: ${what}`);
}
