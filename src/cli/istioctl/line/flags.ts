import { Option } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { CommandParseError } from "./errors.ts";

/** A flag whose value is a whole number; any other word is an error in Go's words. */
export function intOption(flags: string, text: string, byDefault?: number): Option {
  const option = new Option(flags, text);
  if (byDefault !== undefined) option.default(byDefault);
  const name = option.short ? `${option.short}, ${option.long}` : (option.long ?? "");
  return option.argParser((value: string) => {
    if (!/^[+-]?\d+$/.test(value))
      throw new CommandParseError(
        `invalid argument ${JSON.stringify(value)} for ${JSON.stringify(name)} flag: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
      );
    return Number(value);
  });
}

/** Where a proxy's admin pages are, at `options.proxyAdminPort`. */
export function adminPortOption(): Option {
  return intOption("--proxy-admin-port <int>", "the proxy's admin port", 15000);
}

/** Throws when no such port can exist. */
export function requirePort(port: number): void {
  if (port < 1 || port > 65535) throw new ChainmailError("USAGE", `port number ${port} must be in the range 1..65535`);
}
