import { parseCsr } from "../../../pki/index.ts";
import { errorText } from "../../../base/index.ts";
import { forbidden, invalid } from "../http/status.ts";
import type { AdmissionPlugin } from "./types.ts";

const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";

/** Requests must be what they say, and nobody becomes a superuser by one, whoever approves it. */
export function certificateSubjects(): AdmissionPlugin {
  return {
    validate({ operation, resource, subresource, object }): void {
      if (operation !== "CREATE" || subresource !== "" || resource.id !== "certificates.k8s.io/certificatesigningrequests" || !object) return;
      const { request = "", signerName } = (object.spec ?? {}) as { request?: string; signerName?: string };
      const { name } = object.metadata;
      let organizations: string[];
      try {
        ({ organizations } = parseCsr(Buffer.from(request, "base64").toString("latin1")).subject);
      } catch (error) {
        throw invalid(resource.definition, name, [
          { type: "FieldValueInvalid", field: "spec.request", message: `Invalid value: ${JSON.stringify(request)}: ${errorText(error)}` },
        ]);
      }
      if (signerName !== CLIENT_SIGNER || !organizations.includes("system:masters")) return;
      throw forbidden(resource.definition, name, `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`);
    },
  };
}
