import { Command } from "commander";
import { X509Certificate } from "node:crypto";
import { ChainmailError, errorText } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { openKube, type KubeAccess, type PodRef } from "../kube-access.ts";
import { adminPortOption, usageText, withHelp } from "../line/index.ts";
import { resolvePod } from "../pods.ts";
import { list, object, parseDump, section, text } from "./dump.ts";

/** `proxy-config rootca-compare`: whether two proxies can trust each other. */
export function rootcaCompareCommand(): Command {
  const command = withGlobals(new Command("rootca-compare"))
    .aliases(["rc"])
    .description("Whether the proxies of two pods have a root certificate in common")
    .argument("[pods...]")
    .addOption(adminPortOption());
  command.action(async (names: string[], options: { proxyAdminPort: number }) => {
    const [first, second] = names;
    if (first === undefined || second === undefined || names.length > 2) {
      process.stderr.write(`${usageText(command)}\n`);
      throw new ChainmailError("USAGE", "rootca-compare requires 2 pods as an argument");
    }
    const kube = await openKube(globalsOf(command));
    const pods = [await resolvePod(kube, first), await resolvePod(kube, second)] as const;
    const [roots, others] = [await rootsOf(kube, pods[0], options), await rootsOf(kube, pods[1], options)];
    const both = `Both [${pods[0].name}.${pods[0].namespace}] and [${pods[1].name}.${pods[1].namespace}]`;
    if (!shareRoot(roots, others))
      throw new ChainmailError("ROOTS_DIFFER", `${both} have the non identical ROOTCA, theoretically the connectivity between them is unavailable`);
    process.stderr.write(`${both} have the identical ROOTCA, theoretically the connectivity between them is available\n`);
  });
  return withHelp(command, {
    use: "[pod/]<name-1>[.<namespace-1>] [pod/]<name-2>[.<namespace-2>]",
    example: "  istioctl proxy-config rootca-compare web-api-689c7c576c-cvwwz.istioinaction deploy/sleep.istioinaction",
  });
}

async function rootsOf(kube: KubeAccess, pod: PodRef, options: { proxyAdminPort: number }): Promise<string> {
  const { body } = await kube.request(pod, options.proxyAdminPort, "GET", "config_dump?mask=dynamic_active_secrets,dynamic_warming_secrets");
  const secrets = list(section(parseDump(body), "SecretsConfigDump").dynamic_active_secrets);
  const root = secrets.find(({ name }) => name === "ROOTCA");
  const trusted = object(object(object(root?.secret).validation_context).trusted_ca);
  if (!root) throw new ChainmailError("ROOTS_MISSING", `the proxy of ${pod.name}.${pod.namespace} has no ROOTCA`);
  return Buffer.from(text(trusted.inline_bytes), "base64").toString("utf8");
}

/** Whether two bundles of PEM certificates have one in common. */
export function shareRoot(first: string, second: string): boolean {
  const known = new Set(certificates(first));
  return certificates(second).some((one) => known.has(one));
}

function certificates(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!blocks) throw new ChainmailError("CERTIFICATE_INVALID", "failed to parse certificates: no PEM certificate");
  return blocks.map((block) => {
    try {
      return new X509Certificate(block).fingerprint256;
    } catch (cause) {
      throw new ChainmailError("CERTIFICATE_INVALID", `failed to parse certificate: ${errorText(cause)}`, { cause });
    }
  });
}
