/** Archives for tests: sound ones, and such as nobody should write. */
export interface TarItem {
  name: string;
  type?: "0" | "1" | "2" | "3" | "4" | "5" | "6" | "S" | "V";
  content?: string | Uint8Array;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  linkName?: string;
  /** Written as a pax header before it. */
  pax?: Record<string, string>;
}

const BLOCK = 512;

export function tar(items: TarItem[]): Buffer {
  const parts: Buffer[] = [];
  for (const item of items) {
    const pax: Record<string, string> = { ...item.pax };
    if (Buffer.byteLength(item.name) > 100) pax["path"] = item.name;
    if (Buffer.byteLength(item.linkName ?? "") > 100) pax["linkpath"] = item.linkName ?? "";
    if (Object.keys(pax).length > 0) parts.push(entry({ name: "pax", content: Object.entries(pax).map(paxRecord).join("") }, "x"));
    parts.push(entry(item, item.type ?? "0"));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** One header with its padded content, under any type flag. */
export function entry(item: TarItem, flag: string): Buffer {
  const content = Buffer.from(item.content ?? "");
  const header = Buffer.alloc(BLOCK);
  header.write(item.name, 0, 100);
  octal(header, 100, 8, item.mode ?? (flag === "5" ? 0o755 : 0o644));
  octal(header, 108, 8, item.uid ?? 0);
  octal(header, 116, 8, item.gid ?? 0);
  octal(header, 124, 12, content.length);
  octal(header, 136, 12, item.mtime ?? 1_700_000_000);
  header.write("        ", 148);
  header.write(flag, 156);
  header.write(item.linkName ?? "", 157, 100);
  header.write("ustar\0" + "00", 257, "latin1");
  octal(
    header,
    148,
    7,
    header.reduce((sum, byte) => sum + byte, 0),
  );
  return Buffer.concat([header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}

function octal(header: Buffer, start: number, length: number, value: number): void {
  header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, start, "latin1");
}

function paxRecord([key, value]: [string, string]): string {
  const body = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(body);
  while (String(length).length + Buffer.byteLength(body) !== length) length = String(length).length + Buffer.byteLength(body);
  return `${length}${body}`;
}
