/** A file of the archive. */
export interface ArchiveFile {
  readonly path: string;
  readonly content: string;
}

const BLOCK = 512;
/** Names that do not fit the old header go into one of their own (pax). */
const MAX_NAME = 100;

/** A gzipped tar (POSIX.1-2001, ustar with pax headers for long names). `now` is in milliseconds. */
export function tarGz(files: readonly ArchiveFile[], now: number): Uint8Array {
  const blocks: Buffer[] = [];
  for (const { path, content } of files) {
    const body = Buffer.from(content, "utf8");
    if (Buffer.byteLength(path) > MAX_NAME) {
      const record = paxRecord("path", path);
      blocks.push(header("pax", record.length, now, "x"), padded(record));
    }
    blocks.push(header(path, body.length, now, "0"), padded(body));
  }
  // Two empty blocks are the end.
  blocks.push(Buffer.alloc(2 * BLOCK));
  return Bun.gzipSync(new Uint8Array(Buffer.concat(blocks)));
}

function header(path: string, size: number, now: number, type: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void => void block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "ascii");
  block.write(path, 0, MAX_NAME, "utf8");
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.floor(now / 1000), 136, 12);
  block.write("        ", 148, "ascii");
  block.write(type, 156, "ascii");
  block.write("ustar\0" + "00", 257, "ascii");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "ascii");
  return block;
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`, "utf8");
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}
