import type { Pod, PodSpec, PodTemplate } from "../../core.ts";
import type { FieldError } from "../../types.ts";
import { duplicate, forbidden, invalid, invalids, notSupported, oneOf, required } from "../field.ts";
import { validateLabels } from "../metadata.ts";
import { dns1123Label, dns1123Subdomain, ipAddress, qualifiedName, underscoredSubdomain } from "../names.ts";
import { validateContainers, validateHostNetwork, validateImages } from "./containers.ts";
import { validateResources } from "./resources.ts";
import { type Affinity, validateAffinity, validateSpread, validateTolerations } from "./scheduling.ts";
import { type PodSecurity, validatePodSecurity } from "./security.ts";
import { validateVolumes } from "./volumes.ts";

/** Fields that only validation reads. */
type FullSpec = Omit<PodSpec, "affinity"> & {
  affinity?: Affinity;
  topologySpreadConstraints?: Parameters<typeof validateSpread>[0];
  resourceClaims?: { name: string }[];
  runtimeClassName?: string;
  overhead?: Record<string, string>;
  os?: { name?: string };
  hostUsers?: boolean;
};

const MAX_INT32 = 2 ** 31 - 1;
const APPARMOR = "container.apparmor.security.beta.kubernetes.io/";

export function validatePod(pod: Pod): FieldError[] {
  const { spec } = pod;
  if (!spec) return [required("spec.containers")];
  return [
    ...validateAnnotations(pod.metadata.annotations ?? {}, "metadata.annotations"),
    ...validatePodSpec(spec, "spec", true),
    ...validateImages(spec.containers ?? [], "spec.containers"),
    ...validateImages(spec.initContainers ?? [], "spec.initContainers"),
    ...validateStatus(pod),
  ];
}

/** What a new pod may not have; later it may. */
export function validatePodCreate({ spec }: Pod): FieldError[] {
  const errors: FieldError[] = [];
  if (spec?.ephemeralContainers?.length) errors.push(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (spec?.nodeName && spec.schedulingGates?.length) errors.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  return errors;
}

export function validatePodTemplate(template: PodTemplate | undefined, field: string): FieldError[] {
  if (!template?.spec) return [required(`${field}.spec.containers`)];
  return [
    ...validateLabels(template.metadata?.labels, `${field}.labels`),
    ...validateAnnotations(template.metadata?.annotations ?? {}, `${field}.annotations`),
    ...validatePodSpec(template.spec, `${field}.spec`, false),
  ];
}

/** `isPod`: of a pod itself more is asked than of a template. */
export function validatePodSpec(podSpec: PodSpec, field: string, isPod = false): FieldError[] {
  const spec = podSpec as FullSpec;
  const { errors, valid: volumes } = validateVolumes(spec.volumes ?? [], `${field}.volumes`);
  const claims = new Set((spec.resourceClaims ?? []).map(({ name }) => name));
  errors.push(...validateContainers({ spec: podSpec, volumes, claims }, field));
  if (spec.hostNetwork) errors.push(...validateHostNetwork(podSpec, field, isPod));
  errors.push(...oneOf(`${field}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]));
  errors.push(...oneOf(`${field}.dnsPolicy`, spec.dnsPolicy, ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]));
  errors.push(...validateLabels(spec.nodeSelector, `${field}.nodeSelector`));
  const host = { network: spec.hostNetwork === true, ipc: spec.hostIPC === true, pid: spec.hostPID === true, shared: spec.shareProcessNamespace === true };
  errors.push(...validatePodSecurity((spec.securityContext ?? {}) as PodSecurity, `${field}.securityContext`, host));
  if (spec.affinity) errors.push(...validateAffinity(spec.affinity, `${field}.affinity`));
  errors.push(...validateDns(spec, field));
  for (const [index, { conditionType }] of (spec.readinessGates ?? []).entries())
    errors.push(...invalids(`${field}.readinessGates[${index}].conditionType`, conditionType, qualifiedName(conditionType)));
  errors.push(...validateGates(spec, `${field}.schedulingGates`));
  errors.push(...validateSpread(spec.topologySpreadConstraints ?? [], `${field}.topologySpreadConstraints`));
  if (spec.serviceAccountName) errors.push(...invalids(`${field}.serviceAccountName`, spec.serviceAccountName, dns1123Subdomain(spec.serviceAccountName)));
  if (spec.nodeName) errors.push(...invalids(`${field}.nodeName`, spec.nodeName, dns1123Subdomain(spec.nodeName)));
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > MAX_INT32))
    errors.push(invalid(`${field}.activeDeadlineSeconds`, deadline, `must be between 1 and ${MAX_INT32}, inclusive`));
  if (spec.hostname) errors.push(...invalids(`${field}.hostname`, spec.hostname, dns1123Label(spec.hostname)));
  if (spec.subdomain) errors.push(...invalids(`${field}.subdomain`, spec.subdomain, dns1123Label(spec.subdomain)));
  errors.push(...validateTolerations(spec.tolerations ?? [], `${field}.tolerations`));
  for (const [index, { ip = "", hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    const at = `${field}.hostAliases[${index}]`;
    errors.push(
      ...invalids(`${at}.ip`, ip, ipAddress(ip)),
      ...hostnames.flatMap((name, of) => invalids(`${at}.hostnames[${of}]`, name, dns1123Subdomain(name))),
    );
  }
  if (spec.priorityClassName) errors.push(...invalids(`${field}.priorityClassName`, spec.priorityClassName, dns1123Subdomain(spec.priorityClassName)));
  if (spec.runtimeClassName !== undefined)
    errors.push(...invalids(`${field}.runtimeClassName`, spec.runtimeClassName, dns1123Subdomain(spec.runtimeClassName)));
  if (spec.preemptionPolicy !== undefined) errors.push(...oneOf(`${field}.preemptionPolicy`, spec.preemptionPolicy, ["Never", "PreemptLowerPriority"]));
  if (spec.overhead) errors.push(...validateResources({ limits: spec.overhead }, `${field}.overhead`));
  return [...errors, ...validateOs(spec, field)];
}

function validateDns({ dnsPolicy, dnsConfig }: FullSpec, field: string): FieldError[] {
  const at = `${field}.dnsConfig`;
  if (dnsPolicy === "None") {
    if (!dnsConfig) return [required(at, "must provide `dnsConfig` when `dnsPolicy` is None")];
    if (!dnsConfig.nameservers?.length) return [required(`${at}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None")];
  }
  if (!dnsConfig) return [];
  const { nameservers = [], searches = [], options = [] } = dnsConfig;
  const errors: FieldError[] = [];
  if (nameservers.length > 3) errors.push(invalid(`${at}.nameservers`, nameservers, "must not have more than 3 nameservers"));
  for (const [index, server] of nameservers.entries()) errors.push(...invalids(`${at}.nameservers[${index}]`, server, ipAddress(server)));
  if (searches.length > 32) errors.push(invalid(`${at}.searches`, searches, "must not have more than 32 search paths"));
  if (searches.join(" ").length > 2048)
    errors.push(invalid(`${at}.searches`, searches, "must not have more than 2048 characters (including spaces) in the search list"));
  for (const [index, search] of searches.entries()) {
    const name = search === "." ? "" : search.replace(/\.$/, "");
    if (search !== ".") errors.push(...invalids(`${at}.searches[${index}]`, name, underscoredSubdomain(name)));
  }
  for (const [index, { name }] of options.entries()) if (!name) errors.push(required(`${at}.options[${index}]`, "must not be empty"));
  return errors;
}

function validateGates({ schedulingGates = [] }: FullSpec, field: string): FieldError[] {
  const seen = new Set<string>();
  return schedulingGates.flatMap(({ name }, index) => {
    const errors = invalids(`${field}[${index}]`, name, qualifiedName(name));
    if (seen.has(name)) errors.push(duplicate(`${field}[${index}]`, name));
    seen.add(name);
    return errors;
  });
}

/** Fields that mean nothing on the other kind of machine. */
function validateOs(spec: FullSpec, field: string): FieldError[] {
  if (!spec.os) return [];
  const { name = "" } = spec.os;
  if (name === "") return [required(`${field}.os.name`, "cannot be empty")];
  if (name !== "linux" && name !== "windows") return [notSupported(`${field}.os`, name, ["linux", "windows"])];
  if (name === "linux") return [];
  const errors: FieldError[] = [];
  const deny = (at: string) => errors.push(forbidden(at, "cannot be set for a windows pod"));
  const pod = (spec.securityContext ?? {}) as Record<string, unknown>;
  const denySet = (fields: readonly string[], of: Record<string, unknown>, at: string) => {
    for (const name of fields) if (of[name] !== undefined && of[name] !== false) deny(`${at}.${name}`);
  };
  denySet(["appArmorProfile", "seLinuxOptions"], pod, `${field}.securityContext`);
  if (spec.hostUsers !== undefined) deny(`${field}.hostUsers`);
  denySet(["hostPID", "hostIPC"], spec, field);
  denySet(["seccompProfile", "fsGroup", "fsGroupChangePolicy"], pod, `${field}.securityContext`);
  if ((pod.sysctls as unknown[] | undefined)?.length) deny(`${field}.securityContext.sysctls`);
  if (spec.shareProcessNamespace !== undefined) deny(`${field}.shareProcessNamespace`);
  denySet(["runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy"], pod, `${field}.securityContext`);
  for (const kind of ["initContainers", "containers", "ephemeralContainers"] as const) {
    for (const [index, container] of (spec[kind] ?? []).entries()) {
      const own = (container.securityContext ?? {}) as Record<string, unknown>;
      for (const name of WINDOWS_MEANINGLESS) if (own[name] !== undefined) deny(`${field}.${kind}[${index}].securityContext.${name}`);
    }
  }
  return errors;
}

const WINDOWS_MEANINGLESS = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
];

function validateAnnotations(annotations: Record<string, string>, field: string): FieldError[] {
  return Object.entries(annotations).flatMap(([key, value]) =>
    key.startsWith(APPARMOR) && !/^(runtime\/default|unconfined|localhost\/.*|)$/.test(value)
      ? [invalid(`${field}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`)]
      : [],
  );
}

function validateStatus({ status }: Pod): FieldError[] {
  const ips = status?.podIPs ?? [];
  const errors = ips.flatMap(({ ip }, index) => (ip ? invalids(`status.podIPs[${index}]`, ip, ipAddress(ip)) : []));
  if (ips.length < 2) return errors;
  const wrong = ips.findIndex(({ ip }) => ipAddress(ip).length > 0);
  if (wrong >= 0)
    errors.push({
      type: "InternalError",
      field: "status.podIPs",
      message: `Internal error: failed to check for dual stack with error:invalid IP[${wrong}]: ${ips[wrong]?.ip}`,
    });
  const families = new Set(ips.map(({ ip }) => ip.includes(":")));
  if (families.size < 2 || ips.length > 2)
    errors.push(
      invalid(
        "status.podIPs",
        ips.map(({ ip }) => ({ IP: ip })),
        "may specify no more than one IP for each IP family",
      ),
    );
  return errors;
}
