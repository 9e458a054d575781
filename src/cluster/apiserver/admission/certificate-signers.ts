import type { Authorizer } from "../auth/authorizer.ts";
import { forbidden } from "../http/status.ts";
import { equalJson } from "../json.ts";
import { SIGNING_REQUESTS } from "../kinds/signing-requests.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

/**
 * Whoever approves or signs requests of a signer needs the verb approve or sign on that signer, beside the right to write
 * requests. https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization
 */
export function certificateSigners(authorizer: Authorizer): AdmissionPlugin {
  return {
    validate({ resource, subresource, operation, object, old, user, name }: Attributes): void {
      if (resource.id !== SIGNING_REQUESTS || operation !== "UPDATE" || !old) return;
      const verb = subresource === "approval" ? "approve" : subresource === "status" && !isSameStatus(object?.status, old.status) ? "sign" : undefined;
      if (!verb) return;
      const signer = String((old.spec as { signerName?: string } | undefined)?.signerName ?? "");
      const may = (what: string) =>
        authorizer.authorize({
          user,
          verb,
          resource: { group: resource.definition.group, version: "*", resource: "signers", subresource: "", namespace: "", name: what },
        }).allowed;
      // A rule may name one signer, or all of a domain.
      if (may(signer) || may(`${signer.split("/")[0]}/*`)) return;
      throw forbidden(resource.definition, name, `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`);
    },
  };
}

function isSameStatus(next: unknown, old: unknown): boolean {
  const parts = (status: unknown) => {
    const { certificate = "", conditions = [] } = (status ?? {}) as { certificate?: string; conditions?: unknown[] };
    return [certificate, conditions];
  };
  return equalJson(parts(next), parts(old));
}
