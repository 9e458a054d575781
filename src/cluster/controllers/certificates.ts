import { errorText } from "../../base/index.ts";
import { CERTIFICATE_SIGNING_REQUESTS } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import type { Context, Controller } from "./context.ts";
import { stoppable } from "./work-queue.ts";

export interface SigningRequest extends KubeObject {
  spec?: { request?: string; signerName?: string; usages?: string[]; expirationSeconds?: number };
  status?: {
    certificate?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string; lastUpdateTime?: string; lastTransitionTime?: string }[];
  };
}

/** For users of the API. The kubelets' signers have nothing to sign here, and others are programs of their own. */
const SIGNER = "kubernetes.io/kube-apiserver-client";
/** https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers */
const USAGES = ["client auth", "digital signature", "key encipherment"];

/** Signs the requests for client certificates that somebody has approved: `kubectl certificate approve`. */
export function startCertificates(context: Context): Controller {
  const { informers, client, clock, signClient } = context;
  const queue = context.queue("certificates", async (name) => {
    const request = informers.signingRequests.get(name);
    if (!request || !signClient || !isDue(request)) return;
    const { spec = {}, status = {} } = request;
    const failed = (reason: string, message: string) => {
      const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
      return {
        ...status,
        conditions: [...(status.conditions ?? []), { type: "Failed", status: "True", reason, message, lastUpdateTime: now, lastTransitionTime: now }],
      };
    };
    const usages = spec.usages ?? [];
    let next: SigningRequest["status"];
    if (!usages.includes("client auth") || usages.some((usage) => !USAGES.includes(usage))) {
      next = failed("SignerValidationFailure", `usages did not match [${USAGES.join(" ")}]`);
    } else {
      try {
        const pem = Buffer.from(spec.request ?? "", "base64").toString("latin1");
        const signed = signClient(pem, spec.expirationSeconds === undefined ? undefined : spec.expirationSeconds * 1000);
        next = { ...status, certificate: Buffer.from(signed).toString("base64") };
      } catch (error) {
        next = failed("SigningError", errorText(error));
      }
    }
    await client.updateStatus<SigningRequest>(CERTIFICATE_SIGNING_REQUESTS, { ...request, status: next });
  });
  const stops = [informers.signingRequests.onChange(({ type, object }) => type !== "DELETED" && queue.add(object.metadata.name))];
  return stoppable(stops, queue);
}

function isDue({ spec, status = {} }: SigningRequest): boolean {
  const has = (type: string) => status.conditions?.some((condition) => condition.type === type) ?? false;
  return spec?.signerName === SIGNER && has("Approved") && !has("Denied") && !has("Failed") && !status.certificate;
}
