import { seccompProfile } from "./baseline.ts";
import { containersOf, distinct, named, namesOf, plural, quoted, setters, uses } from "./parts.ts";
import type { Check, VersionedCheck } from "./types.ts";

/** What the level "restricted" asks for on top of "baseline". Since 1.25 Windows pods need not set what means nothing to them. */
export function restrictedChecks(): VersionedCheck[] {
  return [
    { id: "allowPrivilegeEscalation", versions: exceptOnWindows(8, allowPrivilegeEscalation) },
    { id: "capabilities_restricted", versions: exceptOnWindows(22, capabilities), overrides: "capabilities_baseline" },
    { id: "restrictedVolumes", versions: [{ since: 0, check: volumes }], overrides: "hostPathVolumes" },
    { id: "runAsNonRoot", versions: [{ since: 0, check: runAsNonRoot }] },
    { id: "runAsUser", versions: [{ since: 23, check: runAsUser }] },
    { id: "seccompProfile_restricted", versions: exceptOnWindows(19, seccomp), overrides: "seccompProfile_baseline" },
  ];
}

const WINDOWS_EXEMPT_SINCE = 25;
const VOLUME_TYPES = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];

function exceptOnWindows(since: number, check: Check): VersionedCheck["versions"] {
  return [
    { since, check },
    { since: WINDOWS_EXEMPT_SINCE, check: (pod) => (pod.spec?.os?.name === "windows" ? undefined : check(pod)) },
  ];
}

const allowPrivilegeEscalation: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  return names.length === 0
    ? undefined
    : { reason: "allowPrivilegeEscalation != false", detail: `${named("container", names)} must set securityContext.allowPrivilegeEscalation=false` };
};

const capabilities: Check = (pod) => {
  const beyond = (added: string[] = []) => added.filter((one) => one !== "NET_BIND_SERVICE");
  const keeping = namesOf(pod, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"));
  const adding = namesOf(pod, ({ securityContext }) => beyond(securityContext?.capabilities?.add).length > 0);
  const values = distinct(containersOf(pod).flatMap(({ securityContext }) => beyond(securityContext?.capabilities?.add)));
  const details = [
    ...(keeping.length > 0 ? [`${named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0 ? [`${named("container", adding)} must not include ${quoted(values)} in securityContext.capabilities.add`] : []),
  ];
  return details.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: details.join("; ") };
};

const volumes: Check = ({ spec }) => {
  const bad = (spec?.volumes ?? []).filter((volume) => !VOLUME_TYPES.some((type) => volume[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = distinct(bad.map((volume) => Object.keys(volume).find((key) => key !== "name" && volume[key] !== undefined) ?? "unknown"));
  return {
    reason: "restricted volume types",
    detail: `${named(
      "volume",
      bad.map(({ name }) => name),
    )} ${uses(bad.length)} ${plural("restricted volume type", types.length)} ${quoted(types)}`,
  };
};

const runAsNonRoot: Check = (pod) => {
  const reason = "runAsNonRoot != true";
  const who = setters(pod, (context) => context.runAsNonRoot === false);
  if (who !== "") return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  if (pod.spec?.securityContext?.runAsNonRoot) return undefined;
  const names = namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  return names.length === 0 ? undefined : { reason, detail: `pod or ${named("container", names)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Check = (pod) => {
  const who = setters(pod, (context) => context.runAsUser === 0);
  return who === "" ? undefined : { reason: "runAsUser=0", detail: `${who} must not set runAsUser=0` };
};

const seccomp: Check = (pod) => {
  const forbidden = seccompProfile(pod);
  if (forbidden || pod.spec?.securityContext?.seccompProfile) return forbidden;
  const names = namesOf(pod, ({ securityContext }) => securityContext?.seccompProfile === undefined);
  return names.length === 0
    ? undefined
    : {
        reason: "seccompProfile",
        detail: `pod or ${named("container", names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      };
};
