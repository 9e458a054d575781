import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { createInformer, isAlreadyExists, isConflict, SECRETS, type KubeClient } from "../../kube/index.ts";
import { CertificateAuthority, type CaMaterial } from "./certificate-authority.ts";
import {
  CA_SECRET,
  fromCaSecret,
  fromPluggedIn,
  needsRenewal,
  newSelfSigned,
  PLUGGED_IN_SECRET,
  renewSelfSigned,
  toSecret,
  type SecretObject,
} from "./material.ts";
import { RootRotation } from "./root-rotation.ts";

export interface CaStoreOptions {
  client: KubeClient;
  namespace: string;
  /** Read only where a root must be made. */
  trustDomain: string | Promise<string>;
  clock: Clock;
  log: Logger;
  /** 0 ≤ x < 1. */
  random?: () => number;
  /** How long a new root is made known before it signs. Default SPREAD_MS. */
  spreadMs?: number;
}

/** From a ConfigMap to a pod's file it takes a second in an embedded cluster (a kubelet: up to 90), and agents look each 5 s. */
export const SPREAD_MS = 7_000;

/** CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL; jittered so that several istiods do not renew at once. */
const RENEWAL_CHECK_MS = 3_600_000;

/**
 * The CA of this mesh: the operator's (`cacerts`) where there is one, else the root from an earlier start, else a new
 * one, stored before it signs anything. Two control planes that start at once end up with the same root. Goes on
 * watching `cacerts`, and renews a self-signed root in time. Throws CaError when what is stored cannot be used.
 */
export async function openCa(options: CaStoreOptions): Promise<{ ca: CertificateAuthority; rotation: RootRotation; stop: () => void }> {
  const { client, namespace, clock, log } = options;
  const [pluggedIn, stored] = await Promise.all([PLUGGED_IN_SECRET, CA_SECRET].map((name) => client.find<SecretObject>(SECRETS, name, namespace)));
  const material = pluggedIn ? fromPluggedIn(pluggedIn, clock.now()) : stored ? fromCaSecret(stored, clock.now()) : await createStored(options);
  const ca = new CertificateAuthority(material, clock);
  let own = material;
  const rotation = await RootRotation.open(ca, material, { client, namespace, clock, log: log.child("rotation"), spreadMs: options.spreadMs ?? SPREAD_MS });
  log.info("certificate authority ready", { source: material.source, not_after: new Date(material.certificate.notAfter).toISOString() });

  const informer = createInformer<SecretObject>(client, SECRETS, { namespace, fieldSelector: `metadata.name=${PLUGGED_IN_SECRET}`, log, clock });
  informer.onChange(({ type, object }) => {
    if (type === "DELETED") {
      // Going back to a self-signed root would silently change who is trusted: that takes a restart.
      log.warn("secret cacerts was deleted; the CA goes on with what it had until istiod restarts");
      return;
    }
    try {
      const next = fromPluggedIn(object, clock.now());
      if (sameMaterial(next, own)) return;
      own = next;
      rotation.offer(next);
      log.info("certificate authority taken from secret cacerts", { not_after: new Date(next.certificate.notAfter).toISOString() });
    } catch (thrown) {
      log.error("secret cacerts cannot be used; the CA goes on with what it had", { error: errorText(thrown) });
    }
  });
  const cancelRenewal = scheduleRenewal(ca, rotation, options);
  return {
    ca,
    rotation,
    stop: () => {
      cancelRenewal();
      rotation.stop();
      informer.stop();
    },
  };
}

async function createStored(options: CaStoreOptions): Promise<CaMaterial> {
  const { client, namespace, trustDomain, clock, log } = options;
  const created = await newSelfSigned(await trustDomain, clock);
  try {
    await client.create(SECRETS, toSecret(created, namespace));
    log.info("made a self-signed root", { secret: CA_SECRET });
    return created;
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown;
    return fromCaSecret(await client.get<SecretObject>(SECRETS, CA_SECRET, namespace), clock.now());
  }
}

function scheduleRenewal(ca: CertificateAuthority, rotation: RootRotation, options: CaStoreOptions): () => void {
  const { clock, log, random = Math.random } = options;
  let cancel = (): void => {};
  const check = async (): Promise<void> => {
    try {
      if (needsRenewal(ca.material, clock.now())) rotation.offer(await renewStored(options));
    } catch (thrown) {
      log.error("the root certificate could not be renewed", { error: errorText(thrown) });
    }
    schedule();
  };
  const schedule = (): void => {
    cancel = clock.after(RENEWAL_CHECK_MS * (0.5 + random()), () => void check());
  };
  schedule();
  return () => cancel();
}

/** Renews what is stored now, which another control plane may have renewed already. */
async function renewStored({ client, namespace, trustDomain, clock, log }: CaStoreOptions): Promise<CaMaterial> {
  const stored = await client.get<SecretObject>(SECRETS, CA_SECRET, namespace);
  const current = fromCaSecret(stored, clock.now());
  if (!needsRenewal(current, clock.now())) return current;
  const renewed = renewSelfSigned(current, await trustDomain, clock);
  try {
    await client.update(SECRETS, { ...stored, data: toSecret(renewed, namespace).data });
  } catch (thrown) {
    if (!isConflict(thrown)) throw thrown;
    return fromCaSecret(await client.get<SecretObject>(SECRETS, CA_SECRET, namespace), clock.now());
  }
  log.info("renewed the self-signed root", { not_after: new Date(renewed.certificate.notAfter).toISOString() });
  return renewed;
}

function sameMaterial(a: CaMaterial, b: CaMaterial): boolean {
  return a.certificate.pem === b.certificate.pem && a.chainPem === b.chainPem && a.rootBundlePem === b.rootBundlePem && a.crlPem === b.crlPem;
}
