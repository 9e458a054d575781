import { readFileSync } from "node:fs";
import { isIP } from "node:net";

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
}

/** What a resolv.conf says; a file that is not there says nothing. */
export function readResolvConf(path = "/etc/resolv.conf"): ResolvConf {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    return { nameservers: [], search: [] };
  }
  const nameservers: string[] = [];
  let search: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0] !== undefined && isIP(values[0]) !== 0) nameservers.push(values[0]);
    // The last such line counts, as for the C library.
    else if (keyword === "search") search = values.map((value) => value.replace(/\.$/, "").toLowerCase());
  }
  return { nameservers, search };
}
