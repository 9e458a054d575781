import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { SUBJECT_ACCESS_REVIEWS, type KubeClient } from "../../kube/index.ts";
import { decodePrivateKey, parseBundle, parseCertificate, PkiError, publicKeyDer } from "../../pki/index.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { Caller } from "../ca/index.ts";
import type { MeshSnapshot } from "../registry/snapshot.ts";
import type { RegistryChange } from "../registry/types.ts";
import type { ProxyNode, XdsResource } from "../xds/types.ts";

/** Certificates and keys of Gateways and DestinationRules (`credentialName`), from Secrets, for those who may have them. */
export interface CredentialSource {
  /** In the order of `names`; left out is what does not exist or may not be read by this caller. */
  resources(caller: Caller | undefined, node: ProxyNode, snapshot: MeshSnapshot, names: readonly string[]): Promise<XdsResource[]>;
  affectedBy(change: RegistryChange): boolean;
}

type SecretObject = KubeObject & { data?: Record<string, string> };
type AccessReview = KubeObject<unknown, { allowed?: boolean }>;

/** As Istio: a role that is taken away stops counting within a minute. */
const DECISION_TTL_MS = 60_000;
/** A denied proxy may ask again soon: the role often comes just after the pod. */
const DENIAL_TTL_MS = 2_000;
const CA_SUFFIX = "-cacert";

/**
 * A proxy gets Secrets of its own namespace only, by the identity that it has proved (never by what its node says), and
 * only if its service account may list Secrets there. A Secret that is broken leaves the last good one in force.
 */
export function createCredentialSource(options: { client: KubeClient; clock: Clock; log: Logger }): CredentialSource {
  const { client, clock, log } = options;
  const decisions = new Map<string, { allowed: boolean; until: number }>();
  /** By namespace and resource name: what the Secret of this version became. */
  const built = new Map<string, { version: string; resource: XdsResource | undefined }>();

  async function mayReadSecrets({ namespace, serviceAccount }: Caller["id"]): Promise<boolean> {
    const key = `${namespace}/${serviceAccount}`;
    const known = decisions.get(key);
    if (known && known.until > clock.now()) return known.allowed;
    const review = await client.create<AccessReview>(SUBJECT_ACCESS_REVIEWS, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: { name: "" },
      spec: {
        user: `system:serviceaccount:${namespace}:${serviceAccount}`,
        groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
        resourceAttributes: { namespace, verb: "list", resource: "secrets" },
      },
    });
    const allowed = review.status?.allowed === true;
    decisions.set(key, { allowed, until: clock.now() + (allowed ? DECISION_TTL_MS : DENIAL_TTL_MS) });
    return allowed;
  }

  function build(name: string, wantsCa: boolean, secret: SecretObject): XdsResource | undefined {
    const key = `${secret.metadata.namespace}/${name}`;
    const version = `${secret.metadata.uid}/${secret.metadata.resourceVersion}/${secret.metadata.name}`;
    const known = built.get(key);
    if (known?.version === version) return known.resource;
    let resource = known?.resource;
    try {
      resource = encode(name, wantsCa ? { trustedCa: rootsOf(secret), crl: read(secret, "ca.crl") || read(secret, "crl") } : pairOf(secret));
    } catch (cause) {
      if (!(cause instanceof PkiError)) throw cause;
      log.warn("a gateway's secret cannot be used", {
        secret: `${secret.metadata.namespace}/${secret.metadata.name}`,
        error: errorText(cause),
        keeps_last_good: resource !== undefined,
      });
    }
    built.set(key, { version, resource });
    return resource;
  }

  return {
    affectedBy: (change) => change.kinds.has("Secret"),
    async resources(caller, _node, snapshot, names) {
      const wanted = names.map((name) => ({ name, path: /^kubernetes(?:-gateway)?:\/\/(?:([^/]+)\/)?([^/]+)$/.exec(name) })).filter(({ path }) => path);
      if (wanted.length === 0) return [];
      if (!caller) {
        log.warn("secrets are served on the authenticated port only");
        return [];
      }
      const { namespace } = caller.id;
      if (!(await mayReadSecrets(caller.id))) {
        log.warn("this service account may not list secrets in its namespace", { identity: caller.spiffe });
        return [];
      }
      const out: XdsResource[] = [];
      for (const { name, path } of wanted) {
        const [, otherNamespace, secretName = ""] = path ?? [];
        if (otherNamespace !== undefined && otherNamespace !== namespace) {
          log.warn("a secret of another namespace was asked for", { identity: caller.spiffe, resource: name });
          continue;
        }
        const wantsCa = secretName.endsWith(CA_SUFFIX);
        const find = (n: string): SecretObject | undefined => snapshot.objects.get("Secret", n, namespace) as SecretObject | undefined;
        const secret = find(secretName) ?? (wantsCa ? find(secretName.slice(0, -CA_SUFFIX.length)) : undefined);
        if (!secret) {
          built.delete(`${namespace}/${name}`);
          continue;
        }
        const resource = build(name, wantsCa, secret);
        if (resource) out.push(resource);
      }
      return out;
    },
  };
}

interface Pair {
  chain: string;
  key: string;
  staple: Uint8Array | undefined;
}

interface Roots {
  trustedCa: string;
  crl: string;
}

/** kubernetes.io/tls (`tls.crt`, `tls.key`) or generic (`cert`, `key`). The key must be the certificate's. */
function pairOf(secret: SecretObject): Pair {
  const generic = secret.data?.["cert"] !== undefined;
  const chain = read(secret, generic ? "cert" : "tls.crt");
  const key = read(secret, generic ? "key" : "tls.key");
  if (!chain || !key) throw new PkiError("PKI_MALFORMED", "it has neither tls.crt and tls.key nor cert and key");
  if (!Buffer.from(publicKeyDer(decodePrivateKey(key))).equals(Buffer.from(parseCertificate(chain).spki))) {
    throw new PkiError("PKI_KEY_MISMATCH", "the private key is not the certificate's");
  }
  const staple = secret.data?.["tls.ocsp-staple"];
  return { chain, key, staple: staple === undefined ? undefined : new Uint8Array(Buffer.from(staple, "base64")) };
}

/** `cacert` of a generic Secret, or `ca.crt`. */
function rootsOf(secret: SecretObject): string {
  const roots = read(secret, "cacert") || read(secret, "ca.crt");
  if (!roots) throw new PkiError("PKI_MALFORMED", "it has neither cacert nor ca.crt");
  parseBundle(roots);
  return roots;
}

function encode(name: string, content: Pair | Roots): XdsResource {
  const inline = (value: string | Uint8Array) => ({
    specifier: { case: "inlineBytes" as const, value: typeof value === "string" ? new TextEncoder().encode(value) : value },
  });
  const secret = create(SecretSchema, {
    name,
    type:
      "trustedCa" in content
        ? { case: "validationContext", value: { trustedCa: inline(content.trustedCa), ...(content.crl ? { crl: inline(content.crl) } : {}) } }
        : {
            case: "tlsCertificate",
            value: {
              certificateChain: inline(content.chain),
              privateKey: inline(content.key),
              ...(content.staple ? { ocspStaple: inline(content.staple) } : {}),
            },
          },
  });
  const value = toBinary(SecretSchema, secret);
  return { name, typeUrl: XDS_TYPES.SDS, version: createHash("sha256").update(value).digest("hex").slice(0, 16), value };
}

function read(secret: SecretObject, name: string): string {
  return Buffer.from(secret.data?.[name] ?? "", "base64").toString("utf8");
}
