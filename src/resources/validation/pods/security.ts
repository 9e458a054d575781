import type { FieldError } from "../../types.ts";
import { duplicate, invalid, notSupported, required } from "../field.ts";

interface Profile {
  type?: string;
  localhostProfile?: string;
}

export interface ContainerSecurity {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  readOnlyRootFilesystem?: boolean;
  procMount?: string;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: Profile;
  appArmorProfile?: Profile;
  seLinuxOptions?: unknown;
  windowsOptions?: unknown;
}

export interface PodSecurity extends ContainerSecurity {
  fsGroup?: number;
  fsGroupChangePolicy?: string;
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: string;
  sysctls?: { name?: string; value?: string }[];
}

/** Ids are 32 bits wide, without the sign. */
const MAX_ID = 2 ** 31 - 1;
const PROFILE_TYPES = ["Localhost", "RuntimeDefault", "Unconfined"];
const MAX_SYSCTL_LENGTH = 253;
const SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

export function validateContainerSecurity(security: ContainerSecurity, field: string, hostUsers: boolean): FieldError[] {
  const { privileged, allowPrivilegeEscalation, procMount, seccompProfile, appArmorProfile, capabilities } = security;
  const errors = [...validateId(security.runAsUser, `${field}.runAsUser`), ...validateId(security.runAsGroup, `${field}.runAsGroup`)];
  if (procMount !== undefined && procMount !== "Default" && procMount !== "Unmasked")
    errors.push(notSupported(`${field}.procMount`, procMount, ["Default", "Unmasked"]));
  if (procMount === "Unmasked" && hostUsers) errors.push(invalid(`${field}.procMount`, procMount, "`hostUsers` must be false to use `Unmasked`"));
  if (seccompProfile) errors.push(...validateProfile(seccompProfile, `${field}.seccompProfile`, "seccomp"));
  if (allowPrivilegeEscalation === false) {
    if (privileged) errors.push(invalid(field, internalForm(security), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    if (capabilities?.add?.includes("CAP_SYS_ADMIN"))
      errors.push(invalid(field, internalForm(security), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
  }
  if (appArmorProfile) errors.push(...validateProfile(appArmorProfile, `${field}.appArmorProfile`, "AppArmor"));
  return errors;
}

/** `host`: which of the host's namespaces the pod is in. */
export function validatePodSecurity(
  security: PodSecurity,
  field: string,
  host: { network: boolean; ipc: boolean; pid: boolean; shared: boolean },
): FieldError[] {
  const errors = [
    ...validateId(security.fsGroup, `${field}.fsGroup`),
    ...validateId(security.runAsUser, `${field}.runAsUser`),
    ...validateId(security.runAsGroup, `${field}.runAsGroup`),
  ];
  for (const [index, id] of (security.supplementalGroups ?? []).entries()) errors.push(...validateId(id, `${field}.supplementalGroups[${index}]`));
  if (host.shared && host.pid) errors.push(invalid(`${field}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  errors.push(...validateSysctls(security.sysctls ?? [], `${field}.sysctls`, host));
  const policy = security.fsGroupChangePolicy;
  if (policy !== undefined && policy !== "Always" && policy !== "OnRootMismatch")
    errors.push(notSupported(`${field}.fsGroupChangePolicy`, policy, ["Always", "OnRootMismatch"]));
  if (security.seccompProfile) errors.push(...validateProfile(security.seccompProfile, `${field}.seccompProfile`, "seccomp"));
  if (security.appArmorProfile) errors.push(...validateProfile(security.appArmorProfile, `${field}.appArmorProfile`, "AppArmor"));
  const groups = security.supplementalGroupsPolicy;
  if (groups !== undefined && groups !== "Merge" && groups !== "Strict")
    errors.push(notSupported(`${field}.supplementalGroupsPolicy`, groups, ["Merge", "Strict"]));
  return errors;
}

function validateSysctls(sysctls: readonly { name?: string }[], field: string, { network, ipc }: { network: boolean; ipc: boolean }): FieldError[] {
  const seen = new Set<string>();
  return sysctls.flatMap(({ name = "" }, index) => {
    const at = `${field}[${index}].name`;
    const errors: FieldError[] = [];
    if (name === "") errors.push(required(at));
    else if (name.length > MAX_SYSCTL_LENGTH || !new RegExp(SYSCTL).test(name))
      errors.push(invalid(at, name, `must have at most ${MAX_SYSCTL_LENGTH} characters and match regex ${SYSCTL}`));
    else if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    const dotted = name.replaceAll("/", ".");
    if (network && dotted.startsWith("net.")) errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    if (ipc && /^(kernel\.(shm|msg|sem)|fs\.mqueue\.)/.test(dotted)) errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    return errors;
  });
}

function validateId(id: number | undefined, field: string): FieldError[] {
  return id !== undefined && (id < 0 || id > MAX_ID) ? [invalid(field, id, `must be between 0 and ${MAX_ID}, inclusive`)] : [];
}

function validateProfile({ type = "", localhostProfile }: Profile, field: string, what: "seccomp" | "AppArmor"): FieldError[] {
  const at = `${field}.localhostProfile`;
  if (type === "Localhost") {
    if (localhostProfile === undefined) return [required(at, `must be set when ${what} type is Localhost`)];
    return localhostProfile.split("/").includes("..") ? [invalid(at, localhostProfile, "must not contain '..'")] : [];
  }
  const errors: FieldError[] = [];
  if (localhostProfile !== undefined)
    errors.push(
      invalid(at, what === "seccomp" ? { Type: type, LocalhostProfile: localhostProfile } : localhostProfile, `can only be set when ${what} type is Localhost`),
    );
  if (type === "") return [...errors, required(`${field}.type`, what === "AppArmor" ? "type is required when appArmorProfile is set" : "")];
  return PROFILE_TYPES.includes(type) ? errors : [...errors, notSupported(`${field}.type`, type, PROFILE_TYPES)];
}

/** The security context as the real server holds it and shows it in refusals. */
function internalForm(security: ContainerSecurity): Record<string, unknown> {
  const profile = (one: Profile | undefined) => (one ? { Type: one.type ?? "", LocalhostProfile: one.localhostProfile ?? null } : null);
  const { capabilities } = security;
  return {
    Capabilities: capabilities ? { Add: capabilities.add ?? null, Drop: capabilities.drop ?? null } : null,
    Privileged: security.privileged ?? null,
    SELinuxOptions: security.seLinuxOptions ?? null,
    WindowsOptions: security.windowsOptions ?? null,
    RunAsUser: security.runAsUser ?? null,
    RunAsGroup: security.runAsGroup ?? null,
    RunAsNonRoot: security.runAsNonRoot ?? null,
    ReadOnlyRootFilesystem: security.readOnlyRootFilesystem ?? null,
    AllowPrivilegeEscalation: security.allowPrivilegeEscalation ?? null,
    ProcMount: security.procMount ?? null,
    SeccompProfile: profile(security.seccompProfile),
    AppArmorProfile: profile(security.appArmorProfile),
  };
}
