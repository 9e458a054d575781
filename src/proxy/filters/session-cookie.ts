/** What a session's cookie holds: Envoy's message `envoy.Cookie` of an address (1) and, where it ends, when in seconds (2). */

const ADDRESS = 0x0a;
const EXPIRES = 0x10;

export function sessionCookieValue(address: string, expires: number): string {
  const text = Buffer.from(address);
  const end: number[] = [];
  for (let left = expires; expires > 0; left = Math.floor(left / 128)) {
    end.push(left >= 128 ? (left % 128) + 128 : left);
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([ADDRESS, text.length]), text, ...(end.length > 0 ? [Buffer.from([EXPIRES, ...end])] : [])]).toString("base64");
}

/** The address in a cookie, in its older form too, which is the address alone; undefined when there is none or its time is over. */
export function sessionCookieAddress(bytes: Buffer | undefined, nowSeconds: number): string | undefined {
  if (!bytes || bytes.length === 0) return undefined;
  const length = bytes[1] ?? 0;
  if (bytes[0] !== ADDRESS || bytes.length < length + 2) return bytes.toString("latin1");
  const address = bytes.toString("latin1", 2, 2 + length);
  let expires = 0;
  if (bytes[length + 2] === EXPIRES) {
    // Times beyond seven bytes of seven bits are none.
    for (let at = length + 3, unit = 1; at < Math.min(bytes.length, length + 10); at++, unit *= 128) expires += ((bytes[at] as number) & 0x7f) * unit;
  }
  return address === "" || (expires > 0 && expires < nowSeconds) ? undefined : address;
}
