import { containersOf, contextsOf, distinct, named, namesOf, plural, quoted, setters, uses } from "./parts.ts";
import type { Check, Handler, PodTemplate, VersionedCheck } from "./types.ts";

/**
 * What the level "baseline" forbids, in the order in which violations are told.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function baselineChecks(): VersionedCheck[] {
  return [
    always("appArmorProfile", appArmorProfile),
    always("capabilities_baseline", capabilities),
    always("hostNamespaces", hostNamespaces),
    always("hostPathVolumes", hostPathVolumes),
    always("hostPorts", hostPorts),
    { id: "hostProbesAndHostLifecycle", versions: [{ since: 34, check: hostHandlers }] },
    always("privileged", privileged),
    always("procMount", procMount),
    {
      id: "seLinuxOptions",
      versions: [
        { since: 0, check: (pod) => seLinuxOptions(pod, SELINUX_TYPES) },
        { since: 31, check: (pod) => seLinuxOptions(pod, [...SELINUX_TYPES, "container_engine_t"]) },
      ],
    },
    {
      id: "seccompProfile_baseline",
      versions: [
        { since: 0, check: seccompAnnotations },
        { since: 19, check: seccompProfile },
      ],
    },
    { id: "sysctls", versions: SAFE_SYSCTLS.map(({ since }) => ({ since, check: (pod) => sysctls(pod, since) })) },
    always("windowsHostProcess", windowsHostProcess),
  ];
}

const APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/";
const PROFILE_TYPES = ["RuntimeDefault", "Localhost"];
const CAPABILITIES = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];
const SELINUX_TYPES = ["", "container_t", "container_init_t", "container_kvm_t"];
/** Those that each version of the standards added. */
const SAFE_SYSCTLS = [
  {
    since: 0,
    names: [
      "kernel.shm_rmid_forced",
      "net.ipv4.ip_local_port_range",
      "net.ipv4.tcp_syncookies",
      "net.ipv4.ping_group_range",
      "net.ipv4.ip_unprivileged_port_start",
    ],
  },
  { since: 27, names: ["net.ipv4.ip_local_reserved_ports"] },
  { since: 29, names: ["net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"] },
  { since: 32, names: ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"] },
];

function always(id: string, check: Check): VersionedCheck {
  return { id, versions: [{ since: 0, check }] };
}

const appArmorProfile: Check = (pod) => {
  const bad = (profile: { type?: string } | undefined) => profile !== undefined && !PROFILE_TYPES.includes(profile.type ?? "");
  const who = [setters(pod, ({ appArmorProfile: profile }) => bad(profile))].filter((text) => text !== "");
  const types = distinct(contextsOf(pod).flatMap(({ appArmorProfile: profile }) => (bad(profile) ? [profile?.type ?? ""] : [])));
  const annotations = Object.entries(pod.metadata?.annotations ?? {})
    .filter(([key, value]) => key.startsWith(APPARMOR_ANNOTATION) && value !== "" && value !== "runtime/default" && !value.startsWith("localhost/"))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  if (annotations.length > 0) who.push(plural("annotation", annotations.length));
  if (who.length === 0) return undefined;
  const values = [...types, ...annotations];
  return {
    reason: plural("forbidden AppArmor profile", values.length),
    detail: `${who.join(" and ")} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const capabilities: Check = (pod) => {
  const beyond = (added: string[] = []) => added.filter((one) => !CAPABILITIES.includes(one));
  const names = namesOf(pod, ({ securityContext }) => beyond(securityContext?.capabilities?.add).length > 0);
  if (names.length === 0) return undefined;
  const values = distinct(containersOf(pod).flatMap(({ securityContext }) => beyond(securityContext?.capabilities?.add)));
  return { reason: "non-default capabilities", detail: `${named("container", names)} must not include ${quoted(values)} in securityContext.capabilities.add` };
};

const hostNamespaces: Check = ({ spec }) => {
  const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec?.[field]);
  return shared.length === 0 ? undefined : { reason: "host namespaces", detail: shared.map((field) => `${field}=true`).join(", ") };
};

const hostPathVolumes: Check = ({ spec }) => {
  const names = (spec?.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  return names.length === 0 ? undefined : { reason: "hostPath volumes", detail: named("volume", names) };
};

const hostPorts: Check = (pod) => {
  const names = namesOf(pod, ({ ports }) => ports?.some(({ hostPort }) => hostPort) ?? false);
  if (names.length === 0) return undefined;
  const ports = distinct(containersOf(pod).flatMap((container) => (container.ports ?? []).flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []))));
  return { reason: "hostPort", detail: `${named("container", names)} ${uses(names.length)} ${plural("hostPort", ports.length)} ${ports.join(", ")}` };
};

const hostHandlers: Check = (pod) => {
  const hosts = (handler: Handler | undefined) =>
    [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => host !== undefined && host !== "") as string[];
  const all = containersOf(pod).map(({ name, livenessProbe, readinessProbe, startupProbe, lifecycle }) => ({
    name,
    hosts: [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap(hosts),
  }));
  const bad = all.filter((container) => container.hosts.length > 0);
  if (bad.length === 0) return undefined;
  const names = distinct(bad.map(({ name }) => name));
  const forbidden = distinct(bad.flatMap((container) => container.hosts));
  return { reason: "probe or lifecycle host", detail: `${named("container", names)} ${uses(names.length)} ${named("probe or lifecycle host", forbidden)}` };
};

const privileged: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.privileged === true);
  return names.length === 0 ? undefined : { reason: "privileged", detail: `${named("container", names)} must not set securityContext.privileged=true` };
};

const procMount: Check = (pod) => {
  const other = (type: string | undefined) => type !== undefined && type !== "Default";
  const names = namesOf(pod, ({ securityContext }) => other(securityContext?.procMount));
  if (names.length === 0) return undefined;
  const types = distinct(containersOf(pod).flatMap(({ securityContext }) => (other(securityContext?.procMount) ? [securityContext?.procMount ?? ""] : [])));
  return { reason: "procMount", detail: `${named("container", names)} must not set securityContext.procMount to ${quoted(types)}` };
};

function seLinuxOptions(pod: PodTemplate, allowed: readonly string[]): ReturnType<Check> {
  const options = contextsOf(pod).flatMap((context) => context.seLinuxOptions ?? []);
  const badType = (type: string | undefined) => !allowed.includes(type ?? "");
  const who = setters(pod, ({ seLinuxOptions: set }) => set !== undefined && (badType(set.type) || Boolean(set.user) || Boolean(set.role)));
  if (who === "") return undefined;
  const types = distinct(options.filter(({ type }) => badType(type)).map(({ type }) => type ?? ""));
  const data = [
    ...(types.length > 0 ? [named("type", types)] : []),
    ...(options.some(({ user }) => user) ? ["user may not be set"] : []),
    ...(options.some(({ role }) => role) ? ["role may not be set"] : []),
  ];
  return { reason: "seLinuxOptions", detail: `${who} set forbidden securityContext.seLinuxOptions: ${data.join("; ")}` };
}

const seccompAnnotations: Check = (pod) => {
  const annotations = pod.metadata?.annotations ?? {};
  const allowed = (value: string) => value === "runtime/default" || value === "docker/default" || value.startsWith("localhost/");
  const keys = [SECCOMP_POD_ANNOTATION, ...containersOf(pod).map(({ name }) => SECCOMP_CONTAINER_ANNOTATION + name)];
  const forbidden = distinct(
    keys.filter((key) => annotations[key] !== undefined && !allowed(annotations[key])).map((key) => `${key}=${JSON.stringify(annotations[key])}`),
  );
  return forbidden.length === 0
    ? undefined
    : { reason: "seccompProfile", detail: `forbidden ${plural("annotation", forbidden.length)} ${forbidden.join(", ")}` };
};

/** Profiles other than the runtime's and the node's own; the stricter level asks for one on top. */
export const seccompProfile: Check = (pod) => {
  const bad = (profile: { type?: string } | undefined) => profile !== undefined && !PROFILE_TYPES.includes(profile.type ?? "");
  const who = setters(pod, (context) => bad(context.seccompProfile));
  if (who === "") return undefined;
  const types = distinct(contextsOf(pod).flatMap((context) => (bad(context.seccompProfile) ? [context.seccompProfile?.type ?? ""] : [])));
  return { reason: "seccompProfile", detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(types)}` };
};

function sysctls({ spec }: PodTemplate, since: number): ReturnType<Check> {
  const safe = SAFE_SYSCTLS.filter((group) => group.since <= since).flatMap(({ names }) => names);
  const names = (spec?.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !safe.includes(name));
  return names.length === 0 ? undefined : { reason: "forbidden sysctls", detail: names.join(", ") };
}

const windowsHostProcess: Check = (pod) => {
  const who = setters(pod, ({ windowsOptions }) => windowsOptions?.hostProcess === true);
  return who === "" ? undefined : { reason: "hostProcess", detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
};
