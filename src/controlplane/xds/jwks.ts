import { generateKeyPairSync } from "node:crypto";

let unusable: string | undefined;

/**
 * A key set whose private key nobody has. It stands in for keys that could not be fetched: the filter then refuses every
 * token, where without keys Envoy would refuse the whole listener.
 */
export function unusableJwks(): string {
  unusable ??= JSON.stringify({
    keys: [{ ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "unavailable" }],
  });
  return unusable;
}
