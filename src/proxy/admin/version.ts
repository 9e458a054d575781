import { VERSION } from "../../base/index.ts";

/** BuildVersion of the node: Envoy's fields, our numbers. */
export function buildVersion(): { version: Record<string, number>; metadata: Record<string, string> } {
  const [major = 0, minor = 0, patch = 0] = VERSION.split(".").map(Number);
  return {
    version: { ...(major && { major_number: major }), ...(minor && { minor_number: minor }), ...(patch && { patch }) },
    metadata: { "revision.status": "Clean", "build.type": "RELEASE", "ssl.version": "BoringSSL" },
  };
}

/** Envoy's form: revision/version/tree status/build type/TLS library. */
export function versionLine(): string {
  return `chainmail/${VERSION}/Clean/RELEASE/BoringSSL`;
}
