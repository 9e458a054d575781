import { number, object, section, text, type ConfigDump } from "./dump.ts";

/** Versions of a proxy, as `proxy-config bootstrap -o short` prints them. */
export function bootstrapSummary(dump: ConfigDump): string {
  const node = object(object(section(dump, "BootstrapConfigDump").bootstrap).node);
  const metadata = object(node.metadata);
  const build = object(node.user_agent_build_version);
  const version = object(build.version);
  const facts = object(build.metadata);
  const label = text(facts["build.label"]);
  const envoy = [
    `${number(version.major_number)}.${number(version.minor_number)}.${number(version.patch)}${label ? `-${label}` : ""}`,
    text(facts["revision.status"]),
    text(facts["build.type"]),
    text(facts["ssl.version"]),
  ].join("/");
  const proxy = text(metadata.ISTIO_PROXY_SHA);
  return `Istio Version: ${text(metadata.ISTIO_VERSION)}\n${proxy ? `Istio Proxy Version: ${proxy}\n` : ""}Envoy Version: ${envoy}\n`;
}
