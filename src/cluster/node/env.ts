import { ChainmailError } from "../../base/index.ts";
import type { ConfigMap, Container, EnvVar, Pod, Secret } from "../../resources/index.ts";
import { expand } from "./expand.ts";
import { fieldValue, resourceValue, type NodeCapacity, type PodAddresses } from "./field-ref.ts";

/** Where referenced objects come from; undefined means that the object does not exist (yet). */
export interface ConfigSource {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
}

export interface EnvInput {
  pod: Pod;
  container: Container;
  addresses: PodAddresses;
  capacity: NodeCapacity;
  source: ConfigSource;
  /** The image's own variables: the weakest. */
  imageEnv: Record<string, string>;
  serviceEnv: Record<string, string>;
}

export interface ContainerEnv {
  env: Record<string, string>;
  /** Keys of envFrom that are no variable names, for a warning event. */
  skipped: string[];
}

/**
 * All variables of a container in Kubernetes' order of strength: image, services, `envFrom`, `env`.
 * Throws CONTAINER_CONFIG with the kubelet's words when a reference that is not optional is missing.
 */
export function buildEnv(input: EnvInput): ContainerEnv {
  const { container, source } = input;
  const namespace = input.pod.metadata.namespace ?? "default";
  const result: Record<string, string> = {};
  const skipped: string[] = [];

  for (const from of container.envFrom ?? []) {
    const data = from.configMapRef
      ? configMapData(source, namespace, from.configMapRef)
      : from.secretRef
        ? secretData(source, namespace, from.secretRef)
        : undefined;
    for (const [key, value] of Object.entries(data ?? {})) {
      const name = `${from.prefix ?? ""}${key}`;
      if (isEnvName(name)) result[name] = value;
      else skipped.push(name);
    }
  }
  for (const variable of container.env ?? []) {
    const value = envValue(variable, input, namespace, (name) => result[name] ?? input.serviceEnv[name]);
    if (value !== undefined) result[variable.name] = value;
  }
  return { env: { ...input.imageEnv, ...input.serviceEnv, ...result }, skipped };
}

function envValue(variable: EnvVar, input: EnvInput, namespace: string, lookup: (name: string) => string | undefined): string | undefined {
  const from = variable.valueFrom;
  if (!from) return expand(variable.value ?? "", lookup);
  if (from.fieldRef) return fieldValue(input.pod, from.fieldRef.fieldPath, input.addresses);
  if (from.resourceFieldRef) {
    const { containerName, resource, divisor } = from.resourceFieldRef;
    const spec = input.pod.spec;
    const container = containerName ? [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find((c) => c.name === containerName) : input.container;
    if (!container) throw configError(`container ${containerName} not found`);
    return resourceValue(container, resource, divisor, input.capacity);
  }
  if (from.configMapKeyRef) {
    const { name, key, optional = false } = from.configMapKeyRef;
    const map = input.source.configMap(namespace, name);
    const value = map?.data?.[key];
    if (value !== undefined || optional) return value;
    throw configError(map ? `couldn't find key ${key} in ConfigMap ${namespace}/${name}` : `configmap "${name}" not found`);
  }
  if (from.secretKeyRef) {
    const { name, key, optional = false } = from.secretKeyRef;
    const secret = input.source.secret(namespace, name);
    const value = secret?.data?.[key];
    if (value !== undefined) return decodeText(value);
    if (optional) return undefined;
    throw configError(secret ? `couldn't find key ${key} in Secret ${namespace}/${name}` : `secret "${name}" not found`);
  }
  return "";
}

function configMapData(source: ConfigSource, namespace: string, ref: { name: string; optional?: boolean }): Record<string, string> | undefined {
  const map = source.configMap(namespace, ref.name);
  if (!map && !ref.optional) throw configError(`configmap "${ref.name}" not found`);
  return map?.data;
}

function secretData(source: ConfigSource, namespace: string, ref: { name: string; optional?: boolean }): Record<string, string> | undefined {
  const secret = source.secret(namespace, ref.name);
  if (!secret && !ref.optional) throw configError(`secret "${ref.name}" not found`);
  return secret && Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, decodeText(value)]));
}

/** The reason shown as CreateContainerConfigError. */
export function configError(message: string): ChainmailError {
  return new ChainmailError("CONTAINER_CONFIG", message);
}

/** Kubernetes' relaxed rule: any printable ASCII but "=". */
function isEnvName(name: string): boolean {
  return /^[\x20-\x3c\x3e-\x7e]+$/.test(name);
}

function decodeText(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
