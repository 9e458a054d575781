import { Command } from "commander";
import { tabwriter } from "./format/tabwriter.ts";
import { withGlobals } from "./globals.ts";
import { group } from "./line/index.ts";

/** Istio's settings of istioctl itself, and what they are when nobody sets them. */
const DEFAULTS: readonly (readonly [flag: string, value: string])[] = [
  ["authority", ""],
  ["cert-dir", ""],
  ["insecure", ""],
  ["istioNamespace", "istio-system"],
  ["plaintext", ""],
  ["prefer-experimental", ""],
  ["xds-address", ""],
  ["xds-port", "15012"],
];

/** `istioctl experimental config list`. */
export function configCommand(): Command {
  const listing = withGlobals(new Command("list")).description("List istio configurable defaults");
  listing.action(() => void process.stdout.write(configTable(process.env)));
  const root = group(withGlobals(new Command("config")).description("Configure istioctl defaults"));
  root.addCommand(listing);
  return root;
}

/** The settings with where they come from: the environment, or nowhere. */
export function configTable(environment: Readonly<Record<string, string | undefined>>): string {
  const rows = DEFAULTS.map(([flag, value]) => {
    const name = `ISTIOCTL_${flag.toUpperCase().replaceAll("-", "_")}`;
    const set = environment[name];
    return set === undefined ? [flag, value, "default"] : [flag, set, `$${name}`];
  });
  return tabwriter([["FLAG", "VALUE", "FROM"], ...rows], 5);
}
