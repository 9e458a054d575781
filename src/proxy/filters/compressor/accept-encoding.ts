/** What a client takes, by its Accept-Encoding (RFC 9110, 12.5.3): whether this encoding may be used. Without the header, none. */
export function takes(header: string | undefined, encoding: string): boolean {
  if (header === undefined) return false;
  let any: number | undefined;
  let identity: number | undefined;
  let own: number | undefined;
  for (const part of header.split(",")) {
    const [name = "", ...parameters] = part.split(";").map((each) => each.trim().toLowerCase());
    const weight = parameters.find((each) => each.startsWith("q="))?.slice(2);
    const q = weight === undefined ? 1 : Number(weight);
    if (Number.isNaN(q)) continue;
    if (name === "*") any = q;
    else if (name === "identity") identity = q;
    else if (name === encoding) own = q;
  }
  const wanted = own ?? any ?? 0;
  // Who would rather have it plain gets it plain.
  return wanted > 0 && wanted >= (identity ?? 0);
}
