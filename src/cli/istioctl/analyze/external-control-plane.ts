import { isIP } from "node:net";
import type { KubeObject } from "../../../resources/types.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { list, object, text } from "./world.ts";

export const externalControlPlane: Analyzer = {
  name: "externalcontrolplane.ExternalControlPlaneAnalyzer",
  description: "Checks that the remote IstioOperator resources reference an external control plane",
  needs: [],
  run(world) {
    const validators = world
      .kind("ValidatingWebhookConfiguration")
      .filter(({ metadata }) => metadata.name === "istiod-default-validator" || metadata.name.startsWith("istio-validator"));
    const injectors = world.kind("MutatingWebhookConfiguration").filter(({ metadata }) => metadata.name.startsWith("istio-sidecar-injector"));
    return [...validators, ...injectors].flatMap((about) =>
      list(about.webhooks).flatMap((hook) => urlFindings(about, text(hook.name), object(hook.clientConfig))),
    );
  },
};

/** A webhook that is called by URL is a control plane's outside the cluster. */
function urlFindings(about: KubeObject, hook: string, { url, service }: { url?: unknown; service?: unknown }): Finding[] {
  const invalid = (address: string, problem: string): Finding => ({
    code: "IST0163",
    about,
    message: `The hostname (${address}) that was provided for the webhook (${hook}) to reach the ingress gateway on the external control plane cluster ${problem}. Traffic may not flow properly.`,
  });
  if (typeof url !== "string") return service === undefined ? [invalid("", "is blank")] : [];
  const host = hostnameOf(url);
  if (host === undefined) return [invalid(url, "was provided in an invalid format")];
  if (isIP(host) === 0) return [];
  return [
    {
      code: "IST0164",
      about,
      message: `The address (${url}) that was provided for the webhook (${hook}) to reach the ingress gateway on the external control plane cluster is an IP address. This is not recommended for a production environment.`,
    },
  ];
}

function hostnameOf(url: string): string | undefined {
  // Go takes relative references too: they have no host.
  if (!/^[a-z][a-z0-9+.-]*:/i.test(url)) return /[^\u0021-\u{10ffff}]/u.test(url) ? undefined : "";
  try {
    return new URL(url).hostname.replace(/^\[|\]$/g, "");
  } catch {
    return undefined;
  }
}
