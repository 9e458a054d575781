import { tabwriter } from "../format/tabwriter.ts";
import { list, object, text, type ConfigDump, type Json } from "./dump.ts";

/** Extension configurations; a proxy without any has no such part in its dump. */
export function selectExtensions(dump: ConfigDump): Json[] {
  const config = dump.configs.find((candidate) => text(candidate["@type"]).endsWith(".EcdsConfigDump"));
  return list(config?.ecds_filters).map(({ ecds_filter }) => object(ecds_filter));
}

export function ecdsTable(dump: ConfigDump): string {
  const rows = selectExtensions(dump).map((filter) => [text(filter.name), text(object(filter.typed_config)["@type"]).replace(/^.*\//, "")]);
  return tabwriter([["ECDS NAME", "TYPE"], ...rows], 5);
}
