import { readFileSync } from "node:fs";
import type { DataSource } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { Secret as SecretMessage } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { InvalidResource, type Secret } from "../types.ts";

/** An SDS secret as the data plane takes it. Throws InvalidResource; its messages never hold the secret's data. */
export function readSecret(message: SecretMessage): Secret {
  const { type } = message;
  if (type.case === "tlsCertificate") {
    const certificateChainPem = readSource(type.value.certificateChain);
    const privateKeyPem = readSource(type.value.privateKey);
    if (!certificateChainPem || !privateKeyPem)
      throw new InvalidResource("SECRET_INCOMPLETE", `secret ${message.name} lacks a certificate chain or a private key`);
    return { certificateChainPem, privateKeyPem };
  }
  if (type.case === "validationContext") {
    const trustedCaPem = readSource(type.value.trustedCa);
    if (!trustedCaPem) throw new InvalidResource("SECRET_INCOMPLETE", `secret ${message.name} has no trusted CA`);
    const crlPem = readSource(type.value.crl);
    return crlPem ? { trustedCaPem, crlPem } : { trustedCaPem };
  }
  throw new InvalidResource("SECRET_UNSUPPORTED", `secret ${message.name} is neither a certificate nor a validation context`);
}

function readSource(source: DataSource | undefined): string | undefined {
  const specifier = source?.specifier;
  switch (specifier?.case) {
    case "inlineBytes":
      return new TextDecoder().decode(specifier.value);
    case "inlineString":
      return specifier.value;
    case "filename":
      try {
        return readFileSync(specifier.value, "utf8");
      } catch (cause) {
        throw new InvalidResource("SECRET_FILE_UNREADABLE", `${specifier.value} could not be read`, { cause });
      }
    case "environmentVariable":
      return process.env[specifier.value];
    default:
      return undefined;
  }
}
