import type { Caller } from "../ca/index.ts";
import type { ProxyNode } from "../xds/types.ts";
import { XdsError } from "./errors.ts";

/**
 * A proxy may only ask for the configuration of its own namespace and service account: what its node says must be what
 * its certificate or token proved. Throws XDS_PERMISSION_DENIED. Without a caller (plaintext port) nothing is proved,
 * and nothing secret is served either.
 */
export function checkIdentity(node: ProxyNode, caller: Caller | undefined): void {
  if (!caller) return;
  const { namespace, serviceAccount } = caller.id;
  const account = node.serviceAccount;
  if (node.namespace === namespace && (account === "" || account === serviceAccount)) return;
  throw new XdsError("XDS_PERMISSION_DENIED", `authorization failed: no identities ([${caller.spiffe}]) matched ${node.namespace}/${account}`);
}
