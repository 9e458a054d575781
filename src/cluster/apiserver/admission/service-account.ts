import type { KubeObject, Pod } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import { forbidden } from "../http/status.ts";
import { cloneJson } from "../json.ts";
import { randomSuffix, type RandomBytes } from "../rest/names.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

/** Where every container finds its token, the cluster's CA and its namespace. */
const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX = "kube-api-access-";
/** One hour and seven seconds: the real server's mark for tokens that the kubelet renews. */
const TOKEN_SECONDS = 3607;
const VOLUME_MODE = 0o644;

/**
 * Pods run as a service account, "default" unless they say otherwise, and find its token mounted unless the pod or the
 * account forbids it. A missing account refuses the pod (403): its controller tries again.
 */
export function serviceAccountAdmission(store: Store, random: RandomBytes): AdmissionPlugin {
  return {
    complete({ operation, resource, subresource, object, namespace }: Attributes): void {
      if (operation !== "CREATE" || resource.id !== "/pods" || subresource !== "" || !object) return;
      const pod = object as KubeObject as Pod;
      const { spec } = pod;
      if (!spec || pod.metadata.annotations?.["kubernetes.io/config.mirror"]) return;
      const name = spec.serviceAccountName || spec.serviceAccount || "default";
      spec.serviceAccountName = name;
      spec.serviceAccount = name;
      const account = store.get("/serviceaccounts", namespace, name);
      if (!account) {
        throw forbidden(
          resource.definition,
          pod.metadata.name,
          `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
        );
      }
      const { automountServiceAccountToken: byAccount, imagePullSecrets } = account.object as KubeObject & {
        automountServiceAccountToken?: boolean;
        imagePullSecrets?: { name: string }[];
      };
      const byPod = (spec as { automountServiceAccountToken?: boolean }).automountServiceAccountToken;
      if (byPod ?? byAccount ?? true) mountToken(spec, random);
      const pull = spec as { imagePullSecrets?: { name: string }[] };
      if (!pull.imagePullSecrets?.length && imagePullSecrets?.length) pull.imagePullSecrets = cloneJson(imagePullSecrets);
    },
  };
}

function mountToken(spec: NonNullable<Pod["spec"]>, random: RandomBytes): void {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const without = containers.filter((container) => !container.volumeMounts?.some(({ mountPath }) => mountPath === MOUNT_PATH));
  if (without.length === 0) return;
  let name = spec.volumes?.find((volume) => volume.name?.startsWith(VOLUME_PREFIX))?.name;
  if (!name) {
    do name = VOLUME_PREFIX + randomSuffix(random);
    while (spec.volumes?.some((volume) => volume.name === name));
    (spec.volumes ??= []).push(tokenVolume(name));
  }
  for (const container of without) (container.volumeMounts ??= []).push({ name, readOnly: true, mountPath: MOUNT_PATH });
}

function tokenVolume(name: string): NonNullable<NonNullable<Pod["spec"]>["volumes"]>[number] {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
      ],
      defaultMode: VOLUME_MODE,
    },
  };
}
