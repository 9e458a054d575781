import { tabwriter } from "../format/tabwriter.ts";
import { list, object, section, text, type ConfigDump } from "./dump.ts";
import { compare } from "./subset-key.ts";

/** Extension configurations by type and name. Throws when the dump has no part for them: the proxy has none. */
export function ecdsTable(dump: ConfigDump): string {
  const rows = list(section(dump, "EcdsConfigDump").ecds_filters)
    .map(({ ecds_filter }) => object(ecds_filter))
    .map((filter) => [text(filter.name), text(object(filter.typed_config)["@type"]).replace(/^.*\//, "")] as const)
    .sort(([nameA, typeA], [nameB, typeB]) => compare(typeA, typeB) || compare(nameA, nameB));
  return tabwriter([["ECDS NAME", "TYPE"], ...rows.map((row) => [...row])], 5);
}
