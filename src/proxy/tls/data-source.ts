import { readFileSync } from "node:fs";
import type { DataSource } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { InvalidResource } from "../types.ts";

/** Text of a DataSource; undefined when it is not set. Throws InvalidResource when its file cannot be read. */
export function readText(source: DataSource | undefined): string | undefined {
  const specifier = source?.specifier;
  switch (specifier?.case) {
    case "inlineString":
      return specifier.value;
    case "inlineBytes":
      return new TextDecoder().decode(specifier.value);
    case "filename":
      try {
        return readFileSync(specifier.value, "utf8");
      } catch (cause) {
        throw new InvalidResource("UNREADABLE_FILE", `Invalid path: ${specifier.value}`, { cause });
      }
    case "environmentVariable": {
      const value = process.env[specifier.value];
      if (value === undefined) throw new InvalidResource("MISSING_ENVIRONMENT", `Environment variable doesn't exist: ${specifier.value}`);
      return value;
    }
  }
  return undefined;
}
