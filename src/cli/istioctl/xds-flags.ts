import type { Command } from "commander";
import { intOption } from "./line/index.ts";

/** How istiod is asked over xDS: through a tunnel to its pods, or at an address. */
export interface XdsOptions {
  readonly revision?: string;
  /** `host:port`; no tunnel then. */
  readonly xdsAddress?: string;
  readonly xdsPort: number;
  readonly xdsLabel?: string;
  /** The name that the certificate must have. */
  readonly authority?: string;
  /** A folder with root-cert.pem and perhaps cert-chain.pem and key.pem. */
  readonly certDir?: string;
  readonly insecure: boolean;
  readonly plaintext: boolean;
  /** A duration as Go writes it. */
  readonly timeout: string;
}

export function withXdsFlags<C extends Command>(command: C): C {
  command
    .option("--xds-address <string>", "istiod's address, host:port, instead of a tunnel to its pods")
    .addOption(intOption("--xds-port <int>", "port of istiod's pods", 15012))
    .option("--xds-label <string>", "label selector of istiod's pods")
    .option("--authority <string>", "name that istiod's certificate must have, such as istiod.istio-system.svc")
    .option("--cert-dir <string>", "folder with root-cert.pem, and with cert-chain.pem and key.pem where the client shall have a certificate")
    .option("--insecure", "trust any certificate (NOT SECURE!)", false)
    .option("--plaintext", "HTTP/2 without TLS, as port 15010 has it", false)
    .option("--timeout <duration>", "how long to wait for an answer", "30s");
  return command;
}
