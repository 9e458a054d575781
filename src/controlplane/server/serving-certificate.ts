import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { encodePrivateKey, generateKey, mergeBundles, publicKeyDer, type Certificate } from "../../pki/index.ts";
import type { CertificateAuthority } from "../ca/index.ts";

/** istiod's own certificate, with what it trusts in clients. PEM. */
export interface ServingMaterial {
  chainPem: string;
  keyPem: string;
  clientRootsPem: string;
}

export interface ServingCertificate {
  current(): ServingMaterial;
  onChange(listener: (material: ServingMaterial) => void): () => void;
  stop(): void;
}

const DAY = 24 * 3_600_000;
/** Renewed at half of it; istiod's own certificate follows the workloads' rules. */
const LIFETIME_MS = DAY;
/** After a failure; the certificate that is served has hours left then. */
const RETRY_MS = 60_000;

/** The names under which pods, webhooks and istioctl reach istiod: any of them must verify. */
export function servingNames(namespace: string, revision = "default"): string[] {
  const ofRevision = revision === "default" ? [] : [`istiod-${revision}.${namespace}.svc`];
  return [
    `istiod.${namespace}.svc`,
    `istiod.${namespace}`,
    `istiod.${namespace}.svc.cluster.local`,
    `istiod-remote.${namespace}.svc`,
    `istio-pilot.${namespace}.svc`,
    ...ofRevision,
    "localhost",
  ];
}

/** Issued by the mesh's own CA, renewed at half-life and whenever the CA changes. */
export async function createServingCertificate(options: {
  ca: CertificateAuthority;
  namespace: string;
  revision?: string;
  clock: Clock;
  log: Logger;
}): Promise<ServingCertificate> {
  const { ca, namespace, revision, clock, log } = options;
  const listeners = new Set<(material: ServingMaterial) => void>();
  let cancel = (): void => {};

  const issue = async (): Promise<{ material: ServingMaterial; certificate: Certificate }> => {
    const key = await generateKey();
    const certificate = ca.issue(publicKeyDer(key), { dnsNames: servingNames(namespace, revision) }, LIFETIME_MS);
    const { chainPem, rootBundlePem } = ca.material;
    return { certificate, material: { chainPem: certificate.pem + chainPem, keyPem: encodePrivateKey(key), clientRootsPem: mergeBundles(rootBundlePem) } };
  };
  const schedule = (ms: number): void => {
    cancel();
    cancel = clock.after(ms, () => void renew());
  };
  const halfLife = (certificate: Certificate): number => Math.max(RETRY_MS, (certificate.notAfter - clock.now()) / 2);
  const renew = async (): Promise<void> => {
    try {
      const next = await issue();
      material = next.material;
      schedule(halfLife(next.certificate));
      for (const listener of listeners) listener(material);
      log.info("renewed the serving certificate", { not_after: new Date(next.certificate.notAfter).toISOString() });
    } catch (thrown) {
      log.error("the serving certificate could not be renewed", { error: errorText(thrown) });
      schedule(RETRY_MS);
    }
  };

  const first = await issue();
  let material = first.material;
  schedule(halfLife(first.certificate));
  const unsubscribe = ca.onChange(() => void renew());
  return {
    current: () => material,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      cancel();
      unsubscribe();
    },
  };
}
