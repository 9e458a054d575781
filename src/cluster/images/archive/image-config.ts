import { ChainmailError } from "../../../base/index.ts";

/** What an image says about how it wants to be run: the `config` of its configuration file, read once. */
export interface ImageConfig {
  entrypoint: string[];
  cmd: string[];
  env: Record<string, string>;
  /** `name`, `uid`, `name:group`, `uid:gid`; empty for root. */
  user: string;
  workingDir: string;
  /** `80/tcp` */
  exposedPorts: string[];
  stopSignal?: string;
}

export interface ImageFile {
  config: ImageConfig;
  /** Digests of the uncompressed layers, lowest first. */
  diffIds: string[];
  created?: string;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Docker's own limit. */
const MAX_LAYERS = 127;
/** Go's names for what Bun calls x64 and arm64. */
export const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;

/** Reads a configuration file (application/vnd.oci.image.config.v1+json, or Docker's). Throws ARCHIVE_DAMAGED or IMAGE_PLATFORM. */
export function parseImageFile(text: string): ImageFile {
  const file = object(parseJson(text, "the image's configuration"), "the image's configuration");
  const os = optionalString(file["os"]) ?? "linux";
  const architecture = optionalString(file["architecture"]) ?? ARCHITECTURE;
  if (os !== "linux" || architecture !== ARCHITECTURE) {
    throw new ChainmailError("IMAGE_PLATFORM", `the image is for ${os}/${architecture}, and this machine is linux/${ARCHITECTURE}`, {
      hint: `docker pull --platform linux/${ARCHITECTURE} IMAGE, then docker save it again`,
    });
  }
  const diffIds = strings(object(file["rootfs"] ?? {}, "rootfs")["diff_ids"], "rootfs.diff_ids");
  if (diffIds.length > MAX_LAYERS) throw damaged(`it has ${diffIds.length} layers`);
  for (const id of diffIds) if (!DIGEST.test(id)) throw damaged(`the layer digest ${JSON.stringify(id.slice(0, 80))} is none`);
  const created = optionalString(file["created"]);
  return { config: parseConfig(object(file["config"] ?? {}, "config")), diffIds, ...(created === undefined ? {} : { created }) };
}

function parseConfig(config: Record<string, unknown>): ImageConfig {
  const env: Record<string, string> = {};
  for (const line of strings(config["Env"], "config.Env")) {
    const equals = line.indexOf("=");
    if (equals > 0) env[line.slice(0, equals)] = line.slice(equals + 1);
  }
  const workingDir = optionalString(config["WorkingDir"]);
  const stopSignal = optionalString(config["StopSignal"]);
  return {
    entrypoint: strings(config["Entrypoint"], "config.Entrypoint"),
    cmd: strings(config["Cmd"], "config.Cmd"),
    env,
    user: optionalString(config["User"]) ?? "",
    workingDir: workingDir?.startsWith("/") ? workingDir : `/${workingDir ?? ""}`,
    exposedPorts: Object.keys(object(config["ExposedPorts"] ?? {}, "config.ExposedPorts")),
    ...(stopSignal ? { stopSignal } : {}),
  };
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ChainmailError("ARCHIVE_DAMAGED", `${what} is no JSON`, { cause });
  }
}

export function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw damaged(`${what} is no object`);
  return value as Record<string, unknown>;
}

export function array(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw damaged(`${what} is no list`);
  return value;
}

export function strings(value: unknown, what: string): string[] {
  return array(value, what).map((item) => {
    if (typeof item !== "string") throw damaged(`${what} holds something else than text`);
    return item;
  });
}

export function optionalString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function damaged(what: string): ChainmailError {
  return new ChainmailError("ARCHIVE_DAMAGED", `the image archive is damaged: ${what}`);
}
