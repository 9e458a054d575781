import { ChainmailError } from "../../../base/index.ts";
import type { ConfigMap, Container, DownwardAPIFile, KeyToPath, Pod, Secret, Volume, VolumeProjection } from "../../../resources/index.ts";
import type { ConfigSource } from "../env.ts";
import { fieldValue, resourceValue, type NodeCapacity, type PodAddresses } from "../field-ref.ts";
import type { VolumeFiles } from "./atomic-folder.ts";

const DEFAULT_MODE = 0o644;

export interface PayloadInput {
  pod: Pod;
  source: ConfigSource;
  addresses: PodAddresses;
  capacity: NodeCapacity;
  /** The token for a projected source, by its index in the list; only for sources that have one. */
  tokens: ReadonlyMap<number, string>;
}

type Files = Map<string, { content: Uint8Array; mode: number }>;

/**
 * The files of a volume whose content comes from the API; undefined for other volumes.
 * Throws VOLUME_SOURCE with the kubelet's words when a ConfigMap, Secret or key that is not optional is missing.
 */
export function volumeFiles(volume: Volume, input: PayloadInput): VolumeFiles | undefined {
  const files: Files = new Map();
  if (volume.configMap) {
    const { name = "", items, optional, defaultMode } = volume.configMap;
    addConfigMap(files, input, name, items, optional, defaultMode);
  } else if (volume.secret) {
    const { secretName = "", items, optional, defaultMode } = volume.secret;
    addSecret(files, input, secretName, items, optional, defaultMode);
  } else if (volume.downwardAPI) {
    addDownward(files, input, volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode);
  } else if (volume.projected) {
    const { sources = [], defaultMode } = volume.projected;
    for (const [index, source] of sources.entries()) addProjection(files, input, source, index, defaultMode);
  } else {
    return undefined;
  }
  return files;
}

/** Names of the ConfigMaps and Secrets that a volume shows, to know when to write it anew. */
export function volumeReferences(volume: Volume): { configMaps: string[]; secrets: string[] } {
  const configMaps = [volume.configMap?.name, ...(volume.projected?.sources ?? []).map((s) => s.configMap?.name)];
  const secrets = [volume.secret?.secretName, ...(volume.projected?.sources ?? []).map((s) => s.secret?.name)];
  return { configMaps: configMaps.filter((n) => n !== undefined), secrets: secrets.filter((n) => n !== undefined) };
}

function addProjection(files: Files, input: PayloadInput, source: VolumeProjection, index: number, mode: number | undefined): void {
  if (source.configMap) addConfigMap(files, input, source.configMap.name ?? "", source.configMap.items, source.configMap.optional, mode);
  if (source.secret) addSecret(files, input, source.secret.name ?? "", source.secret.items, source.secret.optional, mode);
  if (source.downwardAPI) addDownward(files, input, source.downwardAPI.items ?? [], mode);
  const token = input.tokens.get(index);
  if (source.serviceAccountToken && token !== undefined) {
    files.set(source.serviceAccountToken.path, { content: Buffer.from(token), mode: mode ?? DEFAULT_MODE });
  }
}

function addConfigMap(
  files: Files,
  input: PayloadInput,
  name: string,
  items: KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number | undefined,
): void {
  const map: ConfigMap | undefined = input.source.configMap(input.pod.metadata.namespace ?? "", name);
  if (!map) {
    if (optional) return;
    throw sourceError(`configmap "${name}" not found`);
  }
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(map.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(map.binaryData ?? {})) data.set(key, Buffer.from(base64, "base64"));
  addKeys(files, data, items, optional, mode, "configmap references non-existent config key");
}

function addSecret(
  files: Files,
  input: PayloadInput,
  name: string,
  items: KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number | undefined,
): void {
  const secret: Secret | undefined = input.source.secret(input.pod.metadata.namespace ?? "", name);
  if (!secret) {
    if (optional) return;
    throw sourceError(`secret "${name}" not found`);
  }
  const data = new Map(Object.entries(secret.data ?? {}).map(([key, base64]): [string, Uint8Array] => [key, Buffer.from(base64, "base64")]));
  addKeys(files, data, items, optional, mode, "references non-existent secret key");
}

function addKeys(
  files: Files,
  data: Map<string, Uint8Array>,
  items: KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number | undefined,
  missing: string,
): void {
  if (!items) {
    for (const [key, content] of data) files.set(key, { content, mode: mode ?? DEFAULT_MODE });
    return;
  }
  for (const item of items) {
    const content = data.get(item.key);
    if (content !== undefined) files.set(item.path, { content, mode: item.mode ?? mode ?? DEFAULT_MODE });
    else if (!optional) throw sourceError(`${missing}: ${item.key}`);
  }
}

function addDownward(files: Files, input: PayloadInput, items: DownwardAPIFile[], mode: number | undefined): void {
  const { pod, addresses, capacity } = input;
  for (const item of items) {
    let text = "";
    if (item.fieldRef) text = fieldValue(pod, item.fieldRef.fieldPath, addresses);
    else if (item.resourceFieldRef) {
      const { containerName, resource, divisor } = item.resourceFieldRef;
      text = resourceValue(findContainer(pod, containerName), resource, divisor, capacity);
    }
    files.set(item.path, { content: Buffer.from(text), mode: item.mode ?? mode ?? DEFAULT_MODE });
  }
}

function findContainer(pod: Pod, name: string | undefined): Container {
  const found = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].find((c) => c.name === name);
  if (!found) throw sourceError(`container ${name} of a downward API item is not in the pod`);
  return found;
}

function sourceError(message: string): ChainmailError {
  return new ChainmailError("VOLUME_SOURCE", message);
}
